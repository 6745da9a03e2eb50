# SPDX-License-Identifier: MIT
"""The view of a machine's memory from outside, against what the guest says of itself, and against a guest that lies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild

pytestmark = pytest.mark.machine

HIDES = """
#include <linux/module.h>
#include <linux/list.h>

static int __init hides_init(void)
{
	list_del_init(&THIS_MODULE->list);
	return 0;
}

module_init(hides_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Takes itself off the kernel's list");
"""


def test_both_views_agree(machine: kmodlab.Machine, lab_module: Callable[[str], ModuleArtifact]) -> None:
    machine.insmod(lab_module("hello"))
    outside = machine.outside()
    rows = machine.lsmod()
    assert outside.whole
    assert list(outside.modules) == [row.name for row in rows]
    assert list(outside.states) == [row.state for row in rows]
    assert outside.taint == machine.taint()
    assert "O" in outside.taint.letters


def test_a_guest_that_lies_about_its_taint(
    machine: kmodlab.Machine, lab_module: Callable[[str], ModuleArtifact]
) -> None:
    machine.insmod(lab_module("hello"))
    machine.check("echo 0 > /root/clean && mount --bind /root/clean /proc/sys/kernel/tainted")
    assert not machine.taint()
    assert "O" in machine.outside().taint.letters


def test_a_module_that_takes_itself_off_the_list(machine: kmodlab.Machine, frozen: KernelBuild) -> None:
    hides = kmodlab.build(kmodlab.ModuleSource.from_text("hides", HIDES), frozen)
    with pytest.raises(kmodlab.errors.ModuleLoadError, match="does not stand in /proc/modules"):
        machine.insmod(hides)
    assert "hides" not in machine.outside().modules
    assert "O" in machine.outside().taint.letters
