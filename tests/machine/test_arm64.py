# SPDX-License-Identifier: MIT
"""Guests of another architecture: modules built by a cross compiler, loaded in an emulated arm64 machine."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.architecture import architecture
from kmodlab.build.fast import fast
from kmodlab.build.kbuild import kbuild
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.errors import HostSetupError, KernelOops, MachineError
from kmodlab.host import apt, kernel_packages, kernels
from kmodlab.machine import provision, qemu
from kmodlab.resources import resource
from kmodlab.verdict.trial import try_module
from tests.build.likeness import same
from tests.build.test_landlock import with_sandbox
from tests.machine.test_lab_modules import UNHARMFUL
from tests.machine.test_trial import LAB, PARAMETERS
from tests.parts import needs

pytestmark = [pytest.mark.machine, pytest.mark.build, pytest.mark.slow]

FAULTY = """\
#include <linux/module.h>

static int *nowhere;

static int __init faulty_init(void)
{
	WRITE_ONCE(*nowhere, 1); /* oops */
	return 0;
}
module_init(faulty_init);
MODULE_LICENSE("GPL");
"""


@pytest.fixture(scope="module")
def arm() -> KernelBuild:
    """Debian's stock kernel for arm64, with its frozen machine."""
    with needs("arm64"):
        architecture("aarch64").require_compiler()
        kind = qemu.architecture("aarch64")
        if shutil.which(kind.binary) is None:
            raise HostSetupError(f"emulate arm64: no {kind.binary} here; apt-get install {kind.package}")
        kernel = kernels.ensure_kernel(kernel_packages.default_release(apt.private_apt("arm64")))
    chosen = kmodlab.settings()
    provision.template(kernel, chosen.memory, chosen.cpus).memory()
    return kernel


def test_a_machine_is_what_it_says_and_its_memory_agrees(arm: KernelBuild) -> None:
    built = kmodlab.build(resource("lab_modules") / "hello", arm)
    assert dict(built.file.modinfo)["vermagic"].split()[0] == arm.release
    with kmodlab.Machine(arm) as vm:
        assert vm.check("uname -m").stdout == "aarch64\n"
        vm.insmod(built)
        assert vm.outside().modules[0] == "hello"
        assert {flag.letter for flag in vm.taint().flags} <= UNHARMFUL
        vm.rmmod("hello")
        assert "hello" not in vm.outside().modules
        assert not vm.suspicions()
        assert not [str(record) for record in vm.dmesg() if record.level <= 3]


@pytest.mark.parametrize("name", LAB)
def test_a_module_of_the_lab(arm: KernelBuild, name: str) -> None:
    folder = resource("lab_modules") / name
    verdict = try_module(folder, PARAMETERS.get(name), kernel=arm)
    assert verdict.verdict == tomllib.loads((folder / "lab.toml").read_text())["expect"], str(verdict)


def test_the_quick_way_builds_the_same(arm: KernelBuild, tmp_path: Path) -> None:
    source, chosen = ModuleSource.from_text("faulty", FAULTY), kmodlab.settings()
    quick = fast(source, arm, chosen.cache, timeout=chosen.build_timeout)
    reference = kbuild(source, arm, timeout=chosen.build_timeout)
    assert quick
    assert same(quick.files["faulty.ko"], reference.files["faulty.ko"], tmp_path / "object")


def test_landlock_builds_the_same(arm: KernelBuild) -> None:
    source = ModuleSource.from_text("faulty", FAULTY)
    made = [with_sandbox(name, lambda: kbuild(source, arm, timeout=100)) for name in ("landlock", "bubblewrap")]
    assert made[0].files["faulty.ko"] == made[1].files["faulty.ko"]


def test_a_fault_names_its_line(arm: KernelBuild) -> None:
    built = kmodlab.build(ModuleSource.from_text("faulty", FAULTY), arm)
    with kmodlab.Machine(arm) as vm, pytest.raises(KernelOops) as caught:
        vm.insmod(built)
    report = caught.value.report
    assert report and report.where
    line = 1 + FAULTY[: FAULTY.index("/* oops */")].count("\n")
    assert (report.where.file.rpartition("/")[2], report.where.line) == ("faulty.c", line)


def test_there_is_no_nmi(arm: KernelBuild) -> None:
    with kmodlab.Machine(arm) as vm, pytest.raises(MachineError, match="none"):
        vm.nmi()


def test_both_kernels_are_listed(arm: KernelBuild, kernel: KernelBuild) -> None:
    assert {arm.release, kernel.release} <= {one.release for one in kernels.find_kernels()}
    assert kernels.default_kernel() == kernel
