# SPDX-License-Identifier: MIT
"""Checks of the exercise ``slate``: writes that fit, that do not, from nowhere, and what the slate holds then."""

from __future__ import annotations

import random
import string

from kmodlab.course import Call, Trial, check

SIZE = 64

HINTS = {
    "count": (
        "What write() returns tells the program how many bytes were taken.",
        "Set done to the number of bytes that you have copied.",
    ),
    "content": (
        "What was written is not what is read.",
        "copy_from_user(slate + *pos, buffer, count): the position counts from the slate's start.",
    ),
    "offset": ("The second write must go on where the first one ended.", "Move *pos on by what you took."),
    "room": (
        "Of what does not fit, as much as fits is to be taken: here 4 of 14 bytes.",
        "Make count smaller: at most SLATE_SIZE - *pos bytes fit.",
    ),
    "full": (
        "The slate is full and the program is not told so: it will try for ever.",
        "At *pos >= SLATE_SIZE the answer is -ENOSPC. Is yours off by one?",
    ),
    "efault": (
        "The buffer leads nowhere: the program must be told so (EFAULT).",
        "copy_from_user() returns how many bytes it could not copy; if that is not 0, the answer is -EFAULT.",
    ),
    "oops": (
        "The kernel stopped a copy that would have gone over the end of the slate's memory.",
        "Make count smaller before you copy: at most SLATE_SIZE - *pos bytes fit.",
    ),
    "hang": (
        "After one of the writes nobody gets the lock any more. Which way out of your function keeps it?",
        "Never return between mutex_lock and mutex_unlock: set done, and goto a label in front of the unlock.",
    ),
}


def word(length: int) -> str:
    """Letters that nobody could know before."""
    return "".join(random.choices(string.ascii_letters, k=length))


def slate(calls: list[Call]) -> bytes:
    """What the last call has read."""
    return calls[-1].data


@check(points=2, passed="what was written stands where it was written")
def holds_what_is_written(trial: Trial) -> None:
    """In pieces, and over what was there."""
    trial.load()
    one, two, three = word(10), word(15), word(4)
    calls = trial.calls("open /dev/slate rw", f"write {one}", f"write {two}", "seek 5 set", f"write {three}")
    for call, text in zip((calls[1], calls[2], calls[4]), (one, two, three), strict=True):
        said = call.errno or call.result
        trial.expect(call.result == len(text), "count", f"write() of {len(text)} bytes returned {said}")
    got = slate(trial.calls("open /dev/slate r", "read 64"))
    trial.expect(got[10:25] == two.encode(), "offset", f"{two!r} was written second, but the slate holds {got[:30]!r}")
    wanted = (one[:5] + three + one[9:] + two).encode()
    trial.expect(got[:25] == wanted, "content", f"the slate holds {got[:25]!r}, it should be {wanted!r}")
    trial.expect(not any(got[25:]), "content", "there is something behind what was written")


@check(points=2, passed="what does not fit is not taken, and a full slate says so")
def keeps_within_bounds(trial: Trial) -> None:
    """Writes across the end, and at it."""
    trial.load()
    text = word(SIZE)
    calls = trial.calls(
        "open /dev/slate rw", f"write {text[:60]}", f"write {text[60:]}{word(10)}", "write x", "write-bad 1"
    )
    across, full = calls[2], calls[3]
    said = across.errno or str(across.result)
    trial.expect(
        across.result == 4, "count" if across.result == 0 else "room", f"4 bytes fit, write() of 14 said {said}"
    )
    trial.expect(full.errno == "ENOSPC", "full", f"the slate is full, and write() said {full.errno or full.result}")
    got = slate(trial.calls("open /dev/slate rw", f"write {text}{word(40)}", "seek 0 set", "read 100"))
    trial.expect(got == text.encode(), "content", f"the slate holds {got!r}, it should be {text!r}")
    far = trial.calls("open /dev/slate rw", "seek 1000 set", "write x")[-1]
    trial.expect(far.errno == "ENOSPC", "full", f"far behind the end write() said {far.errno or far.result}")


@check(points=2, passed="a buffer that is not there gives EFAULT, and the slate can still be used")
def survives_a_bad_buffer(trial: Trial) -> None:
    """Buffers that lead nowhere, then good ones."""
    trial.load()
    bad = trial.calls("open /dev/slate rw", "write-bad 10")[-1]
    trial.expect(bad.errno == "EFAULT", "efault", f"write() from nowhere: {bad.errno or bad.result}, not EFAULT")
    text = word(12)
    calls = trial.calls("open /dev/slate rw", "write-bad 10", f"write {text}", "seek 0 set", "read 12")
    trial.expect(
        slate(calls) == text.encode(), "offset", f"after a write() that failed the slate holds {slate(calls)!r}"
    )
