# SPDX-License-Identifier: MIT
"""Checks of the exercise ``jotter``: several open files at once, what they leave behind, and impossible sizes."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check, fail
from kmodlab.machine import ledger

MAX = 1024 * 1024

HINTS = {
    "own": (
        "Two open files see each other's notes.",
        "A variable of the module, or a static one, is there once. A pad for each open file is allocated in open().",
    ),
    "empty": ("A new pad must be empty: vzalloc() clears the memory, vmalloc() does not.",),
    "size": ("The pad has the size that the parameter gives: vzalloc(size).",),
    "kept": ("What was written must be there to be read as long as the file is open.",),
    "open": ("open() must return 0 when all went well.",),
    "release": (
        "A file was closed, and its pad is still there.",
        "release() is the end of open(): vfree(file->private_data).",
    ),
    "range": (
        "A size that cannot be was accepted.",
        "In init: below 1 or above JOTTER_MAX is -EINVAL, before anything else is done. An int may be negative.",
    ),
    "limit": ("1 and JOTTER_MAX are sizes that can be.",),
    "oops": (
        "The kernel ran into an address that is not there.",
        "What comes from vzalloc() goes back by vfree(), not by kfree(). And only once.",
    ),
    "warned": ("The kernel complains: what comes from vzalloc() goes back by vfree(), and only once.",),
}


def reads(trial: Trial, hint: str, call: object, wanted: bytes) -> None:
    """A read must have given these bytes."""
    data = getattr(call, "data", b"")
    trial.expect(data == wanted, hint, f"{call}: {data[:20]!r}, it should be {wanted[:20]!r}")


@check(points=2, passed="each open file has an empty pad of its own")
def gives_each_its_own(trial: Trial) -> None:
    """Two at once, one after the other, and a size that is not the usual one."""
    size = random.randrange(4600, 8000)
    trial.load(size=size)
    trial.calls("open /dev/jotter rw", "close")
    one, other = f"one{random.randrange(1000)}", f"other{random.randrange(1000)}"
    done = trial.calls(
        "open /dev/jotter rw", "open /dev/jotter rw", "use 0", f"write {one}", "use 1", "read 4",
        f"write {other}", "seek 0 set", "use 0", "seek 0 set", "read 30", "use 1", "seek 4 set", "read 30",
    )  # fmt: skip
    trial.expect(done[0].result == 0 and done[1].result == 0, "open", f"{done[0]}, {done[1]}")
    trial.expect(done[5].data != one.encode()[:4], "own", f"the second file already holds {one!r}")
    reads(trial, "empty", done[5], bytes(4))
    trial.expect(done[10].data[: len(one)] == one.encode(), "own", f"{one!r} was written, {done[10].data!r} read back")
    trial.expect(done[13].data[: len(other)] == other.encode(), "kept", f"{other!r} was written, not read back")
    *_, last, beyond = trial.calls("open /dev/jotter rw", f"seek {size - 1} set", "read 30", "read 30")
    trial.expect((last.result, beyond.result) == (1, 0), "size", f"size={size}, at the last byte: {last}, {beyond}")
    reads(trial, "empty", last, b"\0")


@check(points=2, passed="every pad is given back when its file is closed")
def gives_back(trial: Trial) -> None:
    """Many opens and closes, some with notes on them; closing twice would be noticed."""
    with ledger.watch(trial.vm, trial.built) as watched:
        trial.load(size=20000)
        watched.drain()
        held = trial.calls(*["open /dev/jotter rw", "write something"] * 3)
        trial.expect(held[0].result == 0, "open", str(held[0]))
        trial.run("for i in 1 2 3 4 5; do head -c 5 /dev/jotter > /dev/null; done")
        watched.settle()
        pads = [one for one in watched.ledger.live if one.size >= 20000]
        total = watched.ledger.allocated
        trial.unload()
    if pads:
        fail("release", f"8 files were opened and closed, and {len(pads)} pads of {pads[0].size} bytes are still there")
    trial.expect(
        total >= 8 * 20000, "own", f"8 files with 20000 bytes each were opened, {total} bytes allocated in all"
    )
    trial.expect(not watched.ledger.live, "leak", f"after rmmod there is left: {watched.ledger.live[:1]}")


@check(points=2, passed="sizes that cannot be are refused, all others work")
def checks_its_size(trial: Trial) -> None:
    """Both ends of the range."""
    for size in (0, -1, MAX + 1, -(2**31), random.randrange(MAX + 2, 2**31)):
        error = trial.refused(size=size)
        trial.expect(error == "EINVAL", "range", f"size={size}: {error or 'the module loads'}, not EINVAL")
    for size in (1, MAX):
        error = trial.refused(size=size)
        trial.expect(not error, "limit", f"size={size}: {error}")
        opened, _, last = trial.calls("open /dev/jotter rw", f"seek {size - 1} set", "read 30")
        trial.expect((opened.result, last.result) == (0, 1), "size", f"size={size}: {opened}, at the last byte {last}")
        trial.unload()
