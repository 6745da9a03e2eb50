# SPDX-License-Identifier: MIT
"""Checks of the exercise ``dial``: commands with good, bad and no arguments, and commands that there are not."""

from __future__ import annotations

import random

from kmodlab.course import Call, Trial, check

LETTER, NUMBER_SIZE = ord("D"), 4
GET = 2 << 30 | NUMBER_SIZE << 16 | LETTER << 8 | 1
SET = 1 << 30 | NUMBER_SIZE << 16 | LETTER << 8 | 2
RESET = LETTER << 8 | 3

HINTS = {
    "get": (
        "DIAL_GET must put the position where the program's pointer leads.",
        "put_user(value, user) puts a number there and returns 0 or an error, which is what the program gets returned.",
    ),
    "set": (
        "After DIAL_SET the dial does not stand where it should.",
        "get_user(wanted, user) brings the number over.",
    ),
    "reset": ("DIAL_RESET needs no argument: it sets the position to 0.",),
    "range": (
        "A position that cannot be was accepted.",
        "Compare with 0 and with DIAL_MAX, both still fine, and return -EINVAL for the rest.",
    ),
    "kept": ("A command that fails must change nothing.", "Check first, and only then set the position."),
    "efault": (
        "The pointer leads nowhere: the program must be told so (EFAULT).",
        "get_user() and put_user() return 0 or -EFAULT: look at it.",
    ),
    "unknown": (
        "What does a device say to a command that it does not know?",
        'default: return -ENOTTY; (once: "not a typewriter")',
    ),
}


def ask(trial: Trial, *ops: str) -> list[Call]:
    """Open the device and make calls; the last one asks for the position."""
    return trial.calls("open /dev/dial rw", *ops, f"ioctl {GET:#x} -7")[1:]


def said(call: Call) -> str:
    """What a call returned."""
    return call.errno or str(call.result)


@check(points=2, passed="the position can be set, asked for and reset")
def turns(trial: Trial) -> None:
    """The three commands, in several programs."""
    trial.load()
    (start,) = ask(trial)
    trial.expect(start.result == 0 and start.value == 0, "get", f"DIAL_GET: {said(start)}, position {start.value}")
    for wanted in (random.randrange(1, 100), 100, 0, random.randrange(1, 100)):
        done, now = ask(trial, f"ioctl {SET:#x} {wanted}")
        hint = "range" if wanted in (0, 100) else "set"
        trial.expect(done.result == 0, hint, f"DIAL_SET to {wanted}: {said(done)}")
        trial.expect(now.result == 0, "get", f"DIAL_GET returned {said(now)} and not 0")
        trial.expect(now.value == wanted, "set", f"DIAL_SET to {wanted}, and DIAL_GET says {now.value}")
    done, now = ask(trial, f"ioctl-arg {RESET:#x} 0")
    trial.expect((done.result, now.value) == (0, 0), "reset", f"DIAL_RESET: {said(done)}, position {now.value}")


@check(points=1, passed="a position that cannot be is refused and changes nothing")
def refuses_what_cannot_be(trial: Trial) -> None:
    """Positions out of range."""
    trial.load()
    good = random.randrange(1, 100)
    for wanted in (101, -1, random.randrange(102, 10**9)):
        first, bad, now = ask(trial, f"ioctl {SET:#x} {good}", f"ioctl {SET:#x} {wanted}")
        trial.expect(first.result == 0, "set", f"DIAL_SET to {good}: {said(first)}")
        trial.expect(bad.errno == "EINVAL", "range", f"DIAL_SET to {wanted}: {said(bad)}, not EINVAL")
        trial.expect(now.value == good, "kept", f"DIAL_SET to {wanted} was refused, but the dial stands at {now.value}")


@check(points=2, passed="a pointer that leads nowhere gives EFAULT and changes nothing")
def survives_bad_pointers(trial: Trial) -> None:
    """Pointers that lead nowhere."""
    trial.load()
    good = random.randrange(1, 100)
    _, get, put, now = ask(trial, f"ioctl {SET:#x} {good}", f"ioctl-bad {GET:#x}", f"ioctl-bad {SET:#x}")
    trial.expect(get.errno == "EFAULT", "efault", f"DIAL_GET to nowhere: {said(get)}, not EFAULT")
    trial.expect(put.errno == "EFAULT", "efault", f"DIAL_SET from nowhere: {said(put)}, not EFAULT")
    trial.expect(now.value == good, "kept", f"a DIAL_SET that failed left the dial at {now.value}, it was {good}")


@check(points=1, passed="what is no command of the dial gives ENOTTY")
def knows_its_commands(trial: Trial) -> None:
    """Other numbers, letters, directions and sizes."""
    trial.load()
    for number in (RESET + 1, GET ^ 1 << 8, GET ^ 4 << 16, SET ^ 3 << 30, 0):
        (other, now) = ask(trial, f"ioctl {number:#x} 50")
        trial.expect(other.errno == "ENOTTY", "unknown", f"ioctl {number:#x}: {said(other)}, not ENOTTY")
        trial.expect(now.result == 0, "get", f"DIAL_GET: {said(now)}")
