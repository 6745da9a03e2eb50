# SPDX-License-Identifier: MIT
"""Checks of the exercise ``motto``: what programs get that read in one go, in pieces, and into nowhere."""

from __future__ import annotations

import random
import string

from kmodlab.course import Trial, check

HINTS = {
    "nothing": (
        "A program that reads /dev/motto gets nothing: read() returned 0 at once.",
        "copy_to_user(buffer, text + *pos, count) gives the bytes; then return how many they were.",
    ),
    "count": (
        "What read() returns tells the program how many bytes it got.",
        "copy_to_user() returns how many bytes it could not copy: 0 if all went well. Return count instead.",
    ),
    "length": (
        "A byte came along that is not part of the text.",
        "strlen() does not count the 0 at the end of a C string, and it does not belong to the text.",
    ),
    "end": (
        "A program that reads on gets the text again and again: how does it learn that this is the end?",
        "Move *pos on by what you gave, and return 0 once it has reached the length.",
    ),
    "offset": (
        "The second piece must go on where the first one ended.",
        "Copy from text + *pos, not from text, and only what is left from there on.",
    ),
    "efault": (
        "The buffer leads nowhere: the program must be told so (EFAULT), and nothing else may happen.",
        "if (copy_to_user(…)) return -EFAULT;",
    ),
}


def any_text(trial: Trial) -> str:
    """Load the module with a text that nobody could know before."""
    text = "".join(random.choices(string.ascii_letters, k=random.randrange(20, 40)))
    trial.load(text=text)
    return text


@check(points=2, passed="a read of more than there is gives the text and nothing else, then 0")
def reads_all(trial: Trial) -> None:
    """In one go, by two programs."""
    text = any_text(trial)
    for _ in range(2):
        _, first, second = trial.calls("open /dev/motto r", "read 4096", "read 4096")
        trial.expect(first.data, "count" if first.result else "nothing", f"the first read() returned {first.result}")
        trial.expect(first.result != len(text) + 1, "length", f"read() gave {first.data!r}, a byte more than the text")
        trial.expect(first.result == len(text), "count", f"read() returned {first.result} for {len(text)} bytes")
        trial.expect(first.data == text.encode(), "offset", f"read() gave {first.data!r}, the text is {text!r}")
        trial.expect(second.result == 0, "end", f"at the end read() returned {second.result} and not 0")


@check(points=2, passed="a read in pieces goes on where the last one ended, for each open file by itself")
def reads_in_pieces(trial: Trial) -> None:
    """In pieces of several sizes, two files at once, and after a seek."""
    text = any_text(trial)
    for size in (1, 7, len(text) - 1, len(text)):
        count = -(-len(text) // size)
        got = trial.calls("open /dev/motto r", *[f"read {size}"] * (count + 1))[1:]
        most = max(one.result for one in got)
        trial.expect(most <= size, "count", f"read() of {size} bytes returned {most}")
        joined = b"".join(one.data for one in got)
        trial.expect(joined, "nothing", f"pieces of {size} bytes gave nothing")
        trial.expect(len(joined) <= len(text), "end", f"pieces of {size} bytes gave {len(joined)} of {len(text)} bytes")
        trial.expect(joined == text.encode(), "offset", f"pieces of {size} bytes gave {joined!r}, the text is {text!r}")
        trial.expect(got[-1].result == 0, "end", f"after pieces of {size} bytes the end was not told by a 0")
    two = trial.calls(
        "open /dev/motto r", "read 5", "open /dev/motto r", "read 3", "use 0", "read 4", "seek 2 set", "read 3"
    )
    seen = b"/".join(one.data for one in two if one.op.startswith("read")).decode()
    wanted = f"{text[:5]}/{text[:3]}/{text[5:9]}/{text[2:5]}"
    trial.expect(seen == wanted, "offset", f"two open files and a seek gave {seen}, not {wanted}")


@check(points=2, passed="a buffer that is not there gives EFAULT, and nothing is lost by it")
def refuses_a_bad_buffer(trial: Trial) -> None:
    """Buffers that lead nowhere."""
    text = any_text(trial)
    _, bad, good = trial.calls("open /dev/motto r", "read-bad 10", "read 4096")
    trial.expect(bad.errno == "EFAULT", "efault", f"read() into nowhere: {bad}, not EFAULT")
    seen = f"after a read() that failed {good.data!r} came, not {text!r}"
    trial.expect(good.data == text.encode(), "offset" if good.data else "nothing", seen)
