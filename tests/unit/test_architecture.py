# SPDX-License-Identifier: MIT
"""What differs between architectures: which words a build and QEMU get."""

from __future__ import annotations

import os

import pytest

from kmodlab.build.architecture import ARCHITECTURES, architecture, of_debian
from kmodlab.errors import MachineError, UsageError
from kmodlab.host import vmlinux
from kmodlab.host.deb import Deb
from kmodlab.machine import outside, qemu
from kmodlab.machine.template import boot_arguments


def test_only_a_foreign_architecture_has_a_prefix() -> None:
    own = architecture(os.uname().machine)
    assert (own.prefix, own.variables, own.guest_compiler) == ("", (), "musl-gcc")
    (foreign,) = [one for one in ARCHITECTURES if one is not own]
    assert foreign.variables == (f"ARCH={foreign.folder}", f"CROSS_COMPILE={foreign.triplet}-")
    assert foreign.guest_compiler == f"{foreign.triplet}-gcc"


@pytest.mark.parametrize(
    ("release", "name"),
    [("6.1.0-56-amd64", "x86_64"), ("6.1.0-56-cloud-arm64", "aarch64"), ("arm64", "aarch64"), ("6.1.0-56-armmp", "")],
)
def test_the_architecture_of_a_release(release: str, name: str) -> None:
    found = of_debian(release)
    assert (found.name if found else "") == name


def test_an_unknown_architecture() -> None:
    with pytest.raises(UsageError, match="riscv64"):
        architecture("riscv64")


def test_every_architecture_has_a_machine() -> None:
    for one in ARCHITECTURES:
        hardware = qemu.Hardware(one.name)
        line = qemu.command_line(hardware, qemu.Descriptors(0, 0, 0, 0, 0, 0), None)
        assert line[0] == f"qemu-system-{one.name}"
        assert f"console={qemu.architecture(one.name).console} " in boot_arguments(hardware)
        assert ("unknown_nmi_panic" in boot_arguments(hardware)) == qemu.architecture(one.name).nmi


def test_the_image_of_an_arm64_kernel_is_taken_as_it_is() -> None:
    image = b"MZ".ljust(0x38, b"\0") + b"ARM\x64" + b"the kernel"
    assert vmlinux.extract(image) == image


@pytest.mark.parametrize(("adrp", "address"), [(0xB0000000, 0x2018), (0x90000000, 0x1018), (0xF0FFFFE0, 0x0018)])
def test_the_address_that_a_function_loads_from(adrp: int, address: int) -> None:
    nop, ldr = 0xD503201F, 0xF9400C00
    code = b"".join(word.to_bytes(4, "little") for word in (nop, adrp, ldr))
    assert outside._loaded_address(code, 0xFFFF_8000_0800_1FF0) == 0xFFFF_8000_0800_0000 + address


def test_a_function_that_loads_nothing() -> None:
    with pytest.raises(MachineError, match="get_taint"):
        outside._loaded_address(bytes(32), 0x1000)


def test_a_package_says_what_it_is_for() -> None:
    assert Deb("kmod", "30", "kmod_30_arm64.deb", 1).architecture == "arm64"
