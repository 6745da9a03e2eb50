# SPDX-License-Identifier: MIT
"""What the kernel of a running machine shows of modules: looked at before one is loaded and after it is unloaded."""

from __future__ import annotations

from dataclasses import replace

from kmodlab.errors import TransferError
from kmodlab.machine import probes
from kmodlab.machine.machine import Machine
from kmodlab.records.leftovers import LISTS, Leftover, Surroundings, find_leftovers
from kmodlab.records.table import Rows

__all__ = ["leftovers", "look_around"]

_FIND = (
    r"find /proc /proc/net/ /sys /sys/kernel/debug /dev -xdev -regex '/proc/\([0-9]+\|self\|thread-self\)' -prune "
    r"-o -path /sys/kernel/debug/tracing -prune "
    # The name of a slab cache that was merged with another is a link, which the kernel itself never takes away.
    r"-o -path '/sys/kernel/slab/*' -type l -prune -o -print0 2>/dev/null"
)

_THREADS = "/proc/[0-9]*/stat"
_PATIENCE = 2.0
"""Seconds that the reading of one list may take: the fault of an earlier reader may have left it locked."""


def look_around(vm: Machine) -> Surroundings:
    """Return what the kernel shows now. It costs about half a second where the machine is emulated."""
    listing = vm.run(_FIND).stdout
    files, faulty = _read_lists(vm)
    seen = Surroundings.from_files(filter(None, listing.split("\0")), files, faulty)
    # A ledger that is being kept sets probes of its own.
    own = probes.functions()
    kprobes = frozenset(place for place in seen.lists["kprobe"] if place.partition("+")[0] not in own)
    return replace(seen, lists={**seen.lists, "kprobe": kprobes})


def _read_lists(vm: Machine) -> tuple[dict[str, bytes], list[str]]:
    """Read all lists at once; if what is in one makes the kernel fault, each by itself."""
    wanted = [one.path for one in LISTS.values()]
    with vm._talking() as session:
        files = session.snapshot([_THREADS])
        try:
            return {**files, **session.snapshot(wanted)}, []
        except TransferError:
            faulty = []
        for path in wanted:
            done = session.task(["@read", path], timeout=_PATIENCE, cwd="/")
            if done.exit_status is not None and done.exit_status >= 0 and not (done.timed_out or done.stuck):
                files[path] = done.stdout
            else:
                faulty.append(path)
    return files, faulty


def leftovers(vm: Machine, before: Surroundings) -> Rows[Leftover]:
    """Return what is there now and was not before; call it after the module is unloaded.

    What is found must be there at a second look too: a thread that has just ended may still stand in its list. Where
    the module left something in a list that lies in its own memory, reading the list faults: that is found and said,
    and the kernel's log has an oops more. So read the log first.
    """
    after = look_around(vm)
    found = find_leftovers(before, after)
    return find_leftovers(before, look_around(vm)) if found and not after.faulty else found
