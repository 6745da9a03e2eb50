# SPDX-License-Identifier: MIT
"""Checks of the exercise ``motto`` for the instructor: texts of any length, read in any pieces by several programs."""

from __future__ import annotations

import random
import string

from kmodlab.course import Trial, check

LONGEST = 900  # the kernel takes parameters of up to 1023 characters

HINTS = {
    "any-length": (
        "With a text of another length something else comes out.",
        "Is there a number in your code that the text has to fit into? Give the text itself away, from *pos on.",
    ),
    "any-piece": (
        "Read in pieces by several programs in turn, the text did not come out whole.",
        "All that read() may depend on is *pos and count: each open file has a position of its own.",
    ),
}


def any_text(least: int) -> str:
    """A text that nobody could know before."""
    return "".join(random.choices(string.ascii_letters, k=random.randrange(least, LONGEST)))


@check(points=1, passed="texts of any length can be read, the empty one too")
def gives_any_length(trial: Trial) -> None:
    """None, one character, and many."""
    for text in ("", random.choice(string.ascii_letters), any_text(300)):
        trial.load(text=text)
        _, first, second = trial.calls("open /dev/motto r", "read 4096", "read 4096")
        said = f"of {len(text)} bytes the first read() gave {first.result}, the second {second.result}"
        trial.expect(first.data == text.encode() and second.result == 0, "any-length", said)
        trial.unload()


@check(points=1, passed="three programs that read in turn, in pieces of any size, each get the whole text")
def serves_many_in_any_pieces(trial: Trial) -> None:
    """Random pieces through three open files, in turn."""
    text = any_text(200)
    trial.load(text=text)
    left, calls = [len(text)] * 3, ["open /dev/motto r"] * 3
    files: list[int] = []
    while any(left):
        file, size = random.choice([number for number in range(3) if left[number]]), random.randrange(1, 120)
        calls += [f"use {file}", f"read {size}"]
        files.append(file)
        left[file] -= min(size, left[file])
    reads = [call.data for call in trial.calls(*calls) if call.op.startswith("read")]
    for number in range(3):
        got = b"".join(data for data, file in zip(reads, files, strict=True) if file == number)
        trial.expect(got == text.encode(), "any-piece", f"program {number + 1} got {got[:60]!r} …, not {text[:60]!r} …")
