# SPDX-License-Identifier: MIT
"""The modules of the lessons on dependencies and memory, used as the lessons use them."""

from __future__ import annotations

import re

import pytest

import kmodlab
from kmodlab.errors import ModuleLoadError
from kmodlab.machine import ledger
from tests.machine.test_lab_modules import BuildModule, assert_healthy, load, unload

pytestmark = pytest.mark.machine


@pytest.mark.parametrize("folder", ["fat_init", "larder", "dripper"])
def test_loading_and_unloading_twice_leaves_a_clean_log(
    machine: kmodlab.Machine, lab_module: BuildModule, folder: str
) -> None:
    built = lab_module(folder)
    assert built.diagnostics == ()
    before = {row.name for row in machine.lsmod()}
    for _ in range(2):
        load(machine, built)
        unload(machine, built)
        assert {row.name for row in machine.lsmod()} == before
    assert_healthy(machine)


# -- fat_init ---------------------------------------------------------------------------------------------------------


def sizes(vm: kmodlab.Machine) -> tuple[int, int, int]:
    """Core size and init size of fat_init, and what the kernel's list says."""
    core, init = (int(text) for text in vm.check("cd /sys/module/fat_init; cat coresize initsize").stdout.split())
    return core, init, vm.lsmod().named("fat_init").size


def test_fat_init_shrinks_when_its_init_has_returned(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    built = lab_module("fat_init")
    machine.push(built.path, "/root/fat_init.ko")
    machine.check(
        "setsid insmod /root/fat_init.ko hold=1 > /dev/null 2>&1 &"
        "until grep -q '^fat_init.*Loading' /proc/modules; do sleep 0.05; done"
    )
    core, init, listed = sizes(machine)
    assert init >= built.file.memory["init"] > 96 * 1024
    assert listed == core + init
    machine.check(
        "echo 0 > /sys/module/fat_init/parameters/hold;"
        "until grep -q '^fat_init.*Live' /proc/modules; do sleep 0.05; done"
    )
    assert sizes(machine) == (core, 0, core)
    table, total = [0xA5] * 65536, 0
    table[1], table[-1] = 1, 2
    for place in range(8192):
        total ^= sum(table[i] * (i + 1) for i in range(place, 65536, 8192)) % 2**32
    assert int(machine.check("cat /sys/module/fat_init/parameters/checksum").stdout) == total
    machine.rmmod("fat_init")
    assert_healthy(machine)


# -- dripper ----------------------------------------------------------------------------------------------------------


def test_dripper_leaves_its_labels_and_its_mended_sister_nothing(
    machine: kmodlab.Machine, lab_module: BuildModule
) -> None:
    dripper = lab_module("dripper")
    (mended,) = dripper.others
    found = {}
    for built in (dripper, mended):
        with ledger.watch(machine, built) as watched:
            for _ in range(3):
                machine.insmod(built)
                machine.rmmod(built.name)
        assert watched.ledger.exact
        found[built.name] = watched.ledger
    left = found["dripper"].leaks
    assert [one.size for one in left] == [900] * 48
    lines = dripper.source.files["dripper.c"].decode().splitlines()
    assert {lines[one.site.line - 1].strip() for one in left} == {"box->label = kzalloc(LABEL_SIZE, GFP_KERNEL);"}
    assert found["dripper_mended"].leaks == ()
    assert found["dripper_mended"].allocations == found["dripper"].allocations == 96
    ends = [found[name].timeline[-1].bytes for name in ("dripper", "dripper_mended")]
    assert ends == [48 * 900, 0]


def test_dripper_and_its_sister_differ_by_one_line(lab_module: BuildModule) -> None:
    files = lab_module("dripper").source.files
    one, other = (re.sub(r"dripper(_mended)?_", "", files[name].decode()) for name in ("dripper.c", "dripper_mended.c"))
    assert len(set(other.splitlines()) - set(one.splitlines())) <= 3  # the first comment, the description, and
    assert "kfree(box->label);" in set(map(str.strip, other.splitlines())) - set(map(str.strip, one.splitlines()))


# -- larder -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "kinds", "each"), [("kmalloc", {"kmalloc"}, 600), ("cache", {"slab"}, 600),
                                                    ("vmalloc", {"vmalloc"}, 4096)])  # fmt: skip
def test_larder_holds_what_it_is_told_to(
    machine: kmodlab.Machine, lab_module: BuildModule, how: str, kinds: set[str], each: int
) -> None:
    built = lab_module("larder")
    with ledger.watch(machine, built) as watched:
        machine.insmod(built, how=how, size=600)
        machine.check("echo 50 > /sys/module/larder/parameters/count")
        watched.drain()
        held_now = [one for one in watched.ledger.live if one.kind in kinds and one.size >= 600]
        assert len(held_now) == 50
        assert {one.size for one in held_now} <= {600, each, each + 4096}
        machine.check("echo 7 > /sys/module/larder/parameters/count")
        machine.rmmod("larder")
    assert watched.ledger.leaks == ()
    assert_healthy(machine)


def test_larder_refuses_what_cannot_be(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    machine.insmod(lab_module("larder"))
    for name, value in (("size", 0), ("size", 65537), ("size", "x"), ("count", 4097), ("count", -1), ("how", "magic")):
        assert machine.run(f"echo {value} > /sys/module/larder/parameters/{name}").exit_status == 1
    assert machine.check("cat /sys/module/larder/parameters/{how,size,count}").stdout == "kmalloc\n64\n0\n"


# -- hen and egg ------------------------------------------------------------------------------------------------------


def test_hen_and_egg_go_round_in_a_circle(machine: kmodlab.Machine, lab_module: BuildModule) -> None:
    hen = lab_module("hen")
    (egg,) = hen.others
    for built, symbol in ((hen, "egg_hatches"), (egg, "hen_lays")):
        with pytest.raises(ModuleLoadError, match=symbol):
            machine.insmod(built)
    tree = "circle/lib/modules/$(uname -r)"
    done = machine.run(f"cd /root; mkdir -p {tree}; cp hen.ko egg.ko {tree}; depmod -b circle")
    assert done.exit_status == 1
    assert re.search(r"Cycle detected: (hen -> egg -> hen|egg -> hen -> egg)", done.stderr)
