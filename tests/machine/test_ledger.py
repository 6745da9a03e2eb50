# SPDX-License-Identifier: MIT
"""The ledger of allocations, on modules that leak in every way, and on those that give everything back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import ModuleLoadError, UsageError
from kmodlab.machine.ledger import watch
from kmodlab.records.ledger import Ledger

pytestmark = pytest.mark.machine

SOURCE = Path(__file__).with_name("leaky.c")
CALLS = re.compile(r"alloc|kstrdup|kmemdup|leaky_take|__get_free_page|kmem_cache_create")
BuildModule = Callable[[str], ModuleArtifact]

USES = {
    "hello": ":",
    "exporter": ":",
    "scribble": "echo text > /dev/scribble; cat /dev/scribble; head -c 3000 /dev/urandom > /dev/scribble; "
    "(exec 3<>/dev/scribble; echo more >&3)",
    "notefs": "mkdir -p /mnt/n; mount -t notefs none /mnt/n; cd /mnt/n; mkdir -p a/b; echo text > a/b/c; cp a/b/c d; "
    "mv d e; ln e f; rm a/b/c; ls -lR; head -c 100000 /dev/urandom > g; cat g | wc -c; cd /; umount /mnt/n",
    "loopnic": "ip link; for d in loop0 loop1; do ip link set $d up; done; ip link set loop0 down; ethtool -S loop0",
}

LEAKS: dict[str, list[tuple[str | None, int | None, str]]] = {
    "kmalloc": [("kmalloc", 64, "leaky_init")],
    "kstrdup": [("kmalloc", 27, "leaky_init")],
    "krealloc": [("kmalloc", 500, "leaky_init")],
    "large": [("kmalloc", 100_000, "leaky_init")],
    "cache": [("cache", None, "leaky_init")],
    "merged": [("cache", None, "leaky_init")],
    "object": [("cache", None, "leaky_init"), ("slab", 1000, "leaky_init")],
    "vmalloc": [("vmalloc", 8192, "leaky_init")],
    "pages": [("pages", 16384, "leaky_init")],
    "free_page": [("pages", 4096, "leaky_init")],
    "part": [("pages", 32768, "leaky_init")],
    "percpu": [("percpu", 8, "leaky_init")],
    "skb": [("skb", None, "leaky_init"), (None, None, "leaky_init")],
    "thread": [("kmalloc", 7, "leaky_thread")],
    "timer": [("kmalloc", 72, "leaky_timer")],
    "work": [("kmalloc", 19, "leaky_work")],
    "error": [("kmalloc", 64, "leaky_init")],
}
CLEAN = (
    "nothing",
    "kfree_rcu",
    "kvfree_rcu",
    "call_rcu",
    "other context",
    "exact pages",
    "merged cache",
    "bulk",
    "skbs",
    "numbers",
    "device file",
    "huge vmalloc",
)


@pytest.fixture(scope="module")
def leaky(kernel: KernelBuild) -> ModuleArtifact:
    return kmodlab.build(kmodlab.ModuleSource.from_path(SOURCE), kernel)


def ledger_of(vm: kmodlab.Machine, leaky: ModuleArtifact, what: str, **parameters: int) -> Ledger:
    """Load the module, unload it, and say what is left."""
    with watch(vm, leaky, tidy=False) as watched, contextlib.suppress(ModuleLoadError):
        vm.insmod(leaky, what=what, **parameters)
        vm.rmmod("leaky")
    return watched.ledger


@pytest.mark.parametrize("folder", sorted(USES))
def test_the_labs_modules_leak_nothing_in_use(machine: kmodlab.Machine, lab_module: BuildModule, folder: str) -> None:
    built = lab_module(folder)
    with watch(machine, built, tidy=False) as watched:
        for module in (built, *built.others):
            machine.insmod(module)
        machine.run(USES[folder])
        for module in (*reversed(built.others), built):
            machine.rmmod(module.name)
    assert watched.ledger.exact, watched.ledger
    assert not watched.ledger.leaks, watched.ledger


@pytest.mark.parametrize("what", LEAKS)
def test_a_leak_is_found_and_placed(machine: kmodlab.Machine, leaky: ModuleArtifact, what: str) -> None:
    ledger = ledger_of(machine, leaky, what)
    assert ledger.exact, ledger
    found = [(one.kind, one.size, one.site.function) for one in ledger.leaks]
    wanted = LEAKS[what]
    assert len(found) == len(wanted), ledger
    for (kind, size, function), expected in zip(found, wanted, strict=True):
        assert function == expected[2]
        # An skb's data came from kmalloc() before 6.3, from a cache since.
        assert expected[0] in (None, kind) and expected[1] in (None, size)
    source = SOURCE.read_text().splitlines()
    for one in ledger.leaks:
        assert one.site.file == "leaky.c" and CALLS.search(source[one.site.line - 1]), ledger
    assert all(one.site.section.startswith((".text", ".init.text")) for one in ledger.leaks)


@pytest.mark.parametrize("what", CLEAN)
def test_what_is_given_back_is_no_leak(machine: kmodlab.Machine, leaky: ModuleArtifact, what: str) -> None:
    ledger = ledger_of(machine, leaky, what)
    assert ledger.exact, ledger
    assert not ledger.leaks, ledger
    assert ledger.allocations == ledger.frees
    assert (ledger.allocations > 0) == (what != "nothing")


def test_a_device_left_behind_shows_what_it_holds(machine: kmodlab.Machine, leaky: ModuleArtifact) -> None:
    leaks = ledger_of(machine, leaky, "device").leaks
    assert {one.via[0] for one in leaks} == {"platform_device_register_full"}
    assert any("kobject_set_name_vargs" in one.via and one.size == 6 for one in leaks)


def test_a_module_that_is_still_loaded_has_no_leaks_yet(machine: kmodlab.Machine, leaky: ModuleArtifact) -> None:
    machine.insmod(leaky)
    with watch(machine, leaky, tidy=False) as watched:
        pass
    with pytest.raises(UsageError, match="still loaded"):
        watched.ledger.leaks
    assert watched.ledger.loaded == {"leaky"}


def test_each_of_many_loads_counts(machine: kmodlab.Machine, leaky: ModuleArtifact) -> None:
    with watch(machine, leaky, tidy=False) as watched:
        for _ in range(5):
            machine.insmod(leaky, what="kmalloc")
            machine.rmmod("leaky")
            watched.drain()
    assert [one.size for one in watched.ledger.leaks] == [64] * 5
    assert watched.ledger.timeline[-1].bytes == 320


def test_a_flood_that_fits_is_exact_and_one_that_does_not_says_so(
    machine: kmodlab.Machine, leaky: ModuleArtifact
) -> None:
    ledger = ledger_of(machine, leaky, "flood", times=5_000)
    assert ledger.exact and ledger.allocations == ledger.frees == 5_000
    machine.reset()
    ledger = ledger_of(machine, leaky, "flood", times=100_000)
    assert not ledger.exact and "events were lost" in ledger.doubts[0]


def test_two_watches_one_after_the_other(machine: kmodlab.Machine, leaky: ModuleArtifact) -> None:
    for what, count in (("kmalloc", 1), ("nothing", 0)):
        with watch(machine, leaky) as watched:
            machine.insmod(leaky, what=what)
            machine.rmmod("leaky")
        assert len(watched.ledger.leaks) == count
    assert machine.run("cat /sys/kernel/tracing/kprobe_events").stdout == ""
    assert machine.run("ls /sys/kernel/tracing/instances").stdout == ""
    assert not [row for row in machine.lsmod() if row.name in {"dummy", "leaky"}]


@pytest.mark.slow
def test_a_clean_module_is_clean_200_times(frozen: KernelBuild, lab_module: BuildModule) -> None:
    built = lab_module("scribble")
    for number in range(200):
        with kmodlab.Machine(frozen) as vm:
            with watch(vm, built, tidy=False) as watched:
                vm.insmod(built)
                vm.run(USES["scribble"])
                vm.rmmod("scribble")
            assert watched.ledger.exact, (number, watched.ledger)
            assert not watched.ledger.leaks, (number, watched.ledger)
