# SPDX-License-Identifier: MIT
"""What the kernel refuses, and what the lab says then: one clear sentence, the right type, and a machine that works."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import KernelOops, ModuleLoadError, ModuleUnloadError, TransferError, UsageError

pytestmark = pytest.mark.machine

BuildModule = Callable[[str], ModuleArtifact]

SOURCE = """
#include <linux/module.h>
{body}
module_init(start);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("For a test");
"""


@pytest.fixture(scope="module")
def shared(frozen: KernelBuild) -> Iterator[kmodlab.Machine]:
    """One machine for all tests that leave it as it was."""
    with kmodlab.Machine(frozen) as vm:
        yield vm


@pytest.fixture(autouse=True)
def still_works(shared: kmodlab.Machine) -> Iterator[None]:
    before = [row.name for row in shared.lsmod()]
    yield
    assert shared.run("echo works").stdout == "works\n"
    assert [row.name for row in shared.lsmod()] == before


def module(name: str, body: str, kernel: KernelBuild) -> ModuleArtifact:
    return kmodlab.build(kmodlab.ModuleSource.from_text(name, SOURCE.format(body=body)), kernel)


def test_an_unknown_parameter(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    with pytest.raises(UsageError, match=r"insmod hello\.ko: no parameter 'colour'; it has .*whom"):
        shared.insmod(lab_module("hello"), colour="red")


def test_a_bad_value(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    with pytest.raises(ModuleLoadError, match=r"Invalid parameters \(EINVAL\).*times") as caught:
        shared.insmod(lab_module("hello"), times="many")
    assert caught.value.errno == errno.EINVAL


def test_a_value_that_cannot_be_handed_over(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    with pytest.raises(UsageError, match="quote"):
        shared.insmod(lab_module("hello"), whom='a" times=99 "')


def test_a_value_with_spaces(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    shared.insmod(lab_module("hello"), whom="all of you")
    assert shared.dmesg().containing("all of you")
    shared.rmmod("hello")


def test_loaded_already(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    shared.insmod(lab_module("hello"))
    with pytest.raises(ModuleLoadError, match=r"File exists \(EEXIST\); hello is loaded already: rmmod hello first"):
        shared.insmod(lab_module("hello"))
    shared.rmmod("hello")


def test_unloading_what_is_not_there(shared: kmodlab.Machine) -> None:
    with pytest.raises(ModuleUnloadError, match=r"rmmod nothing: Module is not currently loaded \(ENOENT\)"):
        shared.rmmod("nothing")


def test_unloading_what_another_module_needs(shared: kmodlab.Machine) -> None:
    with pytest.raises(ModuleUnloadError, match=r"in use by net_failover \(EWOULDBLOCK\); rmmod net_failover first"):
        shared.rmmod("failover")


def test_unloading_what_a_file_holds(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    shared.insmod(lab_module("scribble"))
    shared.check("exec 3< /dev/scribble; sleep 1000 & echo $! > /root/pid")  # opened before the command ends
    with pytest.raises(ModuleUnloadError, match=r"in use \(EWOULDBLOCK\).*close its files"):
        shared.rmmod("scribble")
    shared.check("kill $(cat /root/pid); while [ -e /proc/$(cat /root/pid) ]; do :; done")
    shared.rmmod("scribble")


def test_an_init_that_returns_an_error(shared: kmodlab.Machine, frozen: KernelBuild) -> None:
    built = module("refuser", "static int __init start(void) { return -ENODEV; }", frozen)
    with pytest.raises(ModuleLoadError, match=r"No such device \(ENODEV\); the module's init function") as caught:
        shared.insmod(built)
    assert caught.value.module == "refuser"


def test_a_symbol_that_nobody_exports_yet(shared: kmodlab.Machine, lab_module: BuildModule) -> None:
    importer = lab_module("exporter").others[0]
    with pytest.raises(ModuleLoadError, match=r"Unknown symbol in module \(ENOENT\); nothing exports exporter_"):
        shared.insmod(importer)


def test_a_module_for_another_kernel(shared: kmodlab.Machine, lab_module: BuildModule, tmp_path: object) -> None:
    built = lab_module("hello")
    release = built.release.encode()
    # Where symbols carry checksums the kernel does not compare the release, but the words behind it.
    foreign = built.path.read_bytes().replace(b"vermagic=" + release + b" SMP", b"vermagic=9" + release[1:] + b" UP ")
    path = tmp_path / "hello.ko"  # type: ignore[operator]
    path.write_bytes(foreign)
    with pytest.raises(ModuleLoadError, match=r"Invalid module format \(ENOEXEC\); built for 9\S+, the guest runs 6"):
        shared.insmod(path)


def test_what_is_no_module(shared: kmodlab.Machine, tmp_path: object) -> None:
    path = tmp_path / "text.ko"  # type: ignore[operator]
    path.write_text("not a module\n")
    with pytest.raises(kmodlab.errors.RecordParseError, match=r"text\.ko|ELF"):
        shared.insmod(path)


def test_a_module_that_modprobe_does_not_find(shared: kmodlab.Machine) -> None:
    with pytest.raises(ModuleLoadError, match="modprobe nothing_such: Module nothing_such not found"):
        shared.modprobe("nothing_such")


def test_files_that_are_not_there(shared: kmodlab.Machine) -> None:
    with pytest.raises(TransferError, match="pull /root/nothing: No such file or directory"):
        shared.pull("nothing")
    with pytest.raises(TransferError, match="push /nowhere/file"):
        shared.push(b"x", "/nowhere/file")


def test_an_oops_in_init(frozen: KernelBuild) -> None:
    built = module("crasher", "static int __init start(void) { return *(volatile int *)0; }", frozen)
    with kmodlab.Machine(frozen) as vm:
        with pytest.raises(KernelOops, match="NULL pointer dereference in start") as caught:
            vm.insmod(built)
        assert any("RIP:" in record.text for record in caught.value.records)
        assert "DIE" in vm.taint().names or "D" in vm.taint().letters
        assert vm.run("echo inspectable").stdout == "inspectable\n"


def test_an_expected_oops_is_data(frozen: KernelBuild) -> None:
    built = module("crasher", "static int __init start(void) { return *(volatile int *)0; }", frozen)
    with kmodlab.Machine(frozen) as vm:
        with vm.expect_oops() as caught:
            vm.insmod(built)
        assert "NULL pointer dereference" in caught[0].title
        with pytest.raises(AssertionError, match="no fault"), vm.expect_oops():
            vm.run("true")
