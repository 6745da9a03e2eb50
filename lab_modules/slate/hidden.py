# SPDX-License-Identifier: MIT
"""Checks of the exercise ``slate`` for the instructor: any sizes at any places, several programs at once, no leak."""

from __future__ import annotations

import random
import string

from kmodlab.course import Trial, check

SIZE = 64

HINTS = {
    "model": (
        "Among many writes of any size at any place, one went wrong.",
        "Which byte goes where depends on *pos and count alone, not on what was written before.",
    ),
    "at-once": (
        "Programs that wrote at the same time got in each other's way.",
        "What all programs share is changed under the lock only; each open file has a position of its own.",
    ),
}


def word(length: int) -> str:
    """Letters that nobody could know before."""
    return "".join(random.choices(string.ascii_letters, k=length))


@check(points=1, passed="forty writes of any size at any place leave what they should, and no memory is lost")
def agrees_with_a_model(trial: Trial) -> None:
    """Random writes through two open files, the same on a bytearray, and bad buffers between them."""
    model, places = bytearray(SIZE), [0, 0]
    calls, wanted = ["open /dev/slate rw", "open /dev/slate rw"], [0, 0]
    for _ in range(40):
        file, text = random.randrange(2), word(random.randrange(1, 90))
        places[file] = random.choice((places[file], random.randrange(SIZE + 8)))
        taken = max(min(len(text), SIZE - places[file]), 0)
        # The kernel fills with zeros what it could not copy: a bad buffer is no longer than what is written over it.
        calls += [f"use {file}", f"seek {places[file]} set", f"write-bad {min(7, len(text))}", f"write {text}"]
        wanted += [0, places[file], -1, taken or -1]
        model[places[file] : places[file] + taken] = text[:taken].encode()
        places[file] += taken
    with trial.no_leak():
        trial.load()
        done = trial.calls(*calls)
        for call, result in zip(done, wanted, strict=True):
            trial.expect(call.result == result, "model", f"{call.op!r} returned {call.result}, it should be {result}")
        got = trial.calls("open /dev/slate r", "read 100")[-1].data
        trial.expect(got == bytes(model), "model", f"the slate holds {got!r}, it should be {bytes(model)!r}")
        trial.unload()


@check(points=1, passed="programs that write at the same time do not get in each other's way")
def serves_many_at_once(trial: Trial) -> None:
    """Four programs, each with a quarter of its own."""
    trial.load()
    words = [word(16) for _ in range(4)]
    how = "bs=16 conv=notrunc,nocreat status=none"
    writers = [
        f"for i in 1 2 3 4 5; do printf %s {text} | dd of=/dev/slate seek={place} {how}; done &"
        for place, text in enumerate(words)
    ]
    trial.run(f"{' '.join(writers)} wait", timeout=20)
    got = trial.calls("open /dev/slate r", "read 64")[-1].data
    trial.expect(got == "".join(words).encode(), "at-once", f"the slate holds {got!r}, four programs wrote {words}")
