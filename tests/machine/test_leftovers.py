# SPDX-License-Identifier: MIT
"""What modules leave in the kernel's lists: everything that a littering module leaves, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.machine.ledger import watch
from kmodlab.machine.leftovers import leftovers, look_around

pytestmark = pytest.mark.machine

LITTER = {
    "proc": [("proc entry", "/proc/litter")],
    "debugfs": [("debugfs entry", "/sys/kernel/debug/litter")],
    "sysfs": [("sysfs entry", "/sys/kernel/litter")],
    "class": [("class", "/sys/class/litter")],
    "device": [
        ("device node", "/dev/litter7"),
        ("class", "/sys/class/litter"),
        ("device", "/sys/devices/virtual/litter/litter7"),
    ],
    "number": [("device number", "character * litter")],
    "misc": [
        ("device node", "/dev/litter_misc"),
        ("device", "/sys/devices/virtual/misc/litter_misc"),
        ("misc device", "litter_misc"),
    ],
    "thread": [("kthread", "litter (*)")],
    "queue": [("kthread", "*litter (*)")],
    "filesystem": [("filesystem", "litterfs")],
    "timer": [("timer", "0x*")],
    "packets": [("packet type", "1234 0x*")],
    "interrupt": [("interrupt", "5 litter")],
    "ports": [("I/O port", "02e0-02e7 : litter")],
    "memory": [("I/O memory", "f0000000-f0000fff : litter")],
    "cache": [("slab cache", "/sys/kernel/slab/litter")],
    "network": [("network device", "litter0")],
    "input": [("device", "/sys/devices/virtual/input/input*"), ("input device", "litter")],
}

BUSY = """
ls -lR /sys /proc/sys >/dev/null 2>&1; modprobe dummy; rmmod dummy; for i in 1 2 3 4 5 6; do (sleep 0.1 &); done
mkdir /mnt/x; mount -t tmpfs none /mnt/x; umount /mnt/x; unshare -n true; unshare -m true
dd if=/dev/vda of=/dev/null bs=1M count=8; ping -c 1 127.0.0.1; cat /proc/kallsyms
"""


@pytest.fixture(scope="module")
def littering(kernel: KernelBuild) -> ModuleArtifact:
    return kmodlab.build(kmodlab.ModuleSource.from_path(Path(__file__).with_name("littering.c")), kernel)


@pytest.mark.parametrize("what", LITTER)
def test_litter_is_found(machine: kmodlab.Machine, littering: ModuleArtifact, what: str) -> None:
    before = look_around(machine)
    machine.insmod(littering, what=what)
    machine.rmmod("littering")
    found = leftovers(machine, before)
    assert len(found) == len(LITTER[what]), found
    for one, (kind, name) in zip(found, LITTER[what], strict=True):
        assert one.kind == kind and fnmatchcase(one.name, name), found


def test_what_the_machine_does_by_itself_is_no_litter(machine: kmodlab.Machine, littering: ModuleArtifact) -> None:
    before = look_around(machine)
    machine.run(BUSY)
    with watch(machine, littering, tidy=False):
        machine.insmod(littering)
        machine.rmmod("littering")
    assert not leftovers(machine, before)


@pytest.mark.parametrize("folder", ["exporter", "hello", "loopnic", "notefs", "scribble"])
def test_the_labs_modules_leave_nothing(
    machine: kmodlab.Machine, lab_module: Callable[[str], ModuleArtifact], folder: str
) -> None:
    built = lab_module(folder)
    before = look_around(machine)
    for module in (built, *built.others):
        machine.insmod(module)
    assert leftovers(machine, before), "a loaded module shows at least in /sys/module"
    for module in (*reversed(built.others), built):
        machine.rmmod(module.name)
    assert not leftovers(machine, before)


def test_what_lies_in_the_unloaded_module_is_found_though_reading_it_faults(
    machine: kmodlab.Machine, littering: ModuleArtifact
) -> None:
    before = look_around(machine)
    machine.insmod(littering, what="here")
    machine.rmmod("littering")
    found = {(one.kind, one.name) for one in leftovers(machine, before)}
    assert {("dangling entry", "/proc/misc"), ("device node", "/dev/litter_here")} <= found
