# SPDX-License-Identifier: MIT
"""Checks of the exercise ``bounded``: what insmod and a shell see of the parameter."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check

FILE = "/sys/module/bounded/parameters/level"

HINTS = {
    "upper": (
        "100 is the largest level: 100 must be taken, and 101 refused.",
        "Compare with > MAX_LEVEL: the limit itself is still fine.",
    ),
    "lower": ("A number can also be too small.", "value < 0 must be refused as well."),
    "runtime": (
        "The file in /sys goes the same way as insmod: through level_set().",
        "A check in the init function comes too late for those who write to the file: check in level_set().",
    ),
    "kept": (
        "When a value is refused, the old one must still be there.",
        "param_set_int() stores the value: check it before you call that.",
    ),
    "sign": ("The kernel's functions return errors as negative numbers.", "return -EINVAL, with the minus sign."),
    "errno": ("Which error number does the task ask for?", "EINVAL means: this argument makes no sense."),
    "text": ("What if the text is no number at all? kstrtoint() returns an error then.", "if (err) return err;"),
}


def write(trial: Trial, value: int | str) -> bool:
    """Write to the parameter's file and return whether the kernel took it."""
    return trial.run(f"echo {value} > {FILE}").exit_status == 0


def read(trial: Trial) -> str:
    """What the file says."""
    return trial.run(f"cat {FILE}").stdout.strip()


@check(points=1, passed="levels from 0 to 100 are taken, the limits included")
def takes_what_is_allowed(trial: Trial) -> None:
    """What is allowed must still be possible after something was refused."""
    refused = trial.refused(level=101)
    trial.expect(refused or read(trial) == "101", "sign", "level=101 was not stored, but insmod said that all was well")
    trial.expect(refused, "upper", "insmod bounded.ko level=101 was accepted")
    trial.expect(refused == "EINVAL", "errno", f"level=101 was refused with {refused}")
    for value in (0, random.randrange(1, 100), 100):
        error = trial.refused(level=value)
        trial.expect(not error, "upper" if value else "lower", f"level={value} was refused ({error})")
        trial.expect(read(trial) == str(value), "kept", f"level={value} was given, but the file says {read(trial)}")
        trial.unload()


@check(points=2, passed="insmod is refused for a level outside of 0 to 100")
def refuses_at_load(trial: Trial) -> None:
    """At load. Whoever refuses everything, or never gets that far, has not done it."""
    trial.load(level=50)
    trial.unload()
    for value in (101, -1, random.randrange(102, 10**6), -random.randrange(2, 10**6)):
        error = trial.refused(level=value)
        trial.expect(error, "lower" if value < 0 else "upper", f"insmod bounded.ko level={value} was accepted")
        trial.expect(error == "EINVAL", "errno", f"level={value} was refused with {error}, not EINVAL")


@check(points=2, passed="a write of nonsense to /sys fails, and the old value stays")
def refuses_later(trial: Trial) -> None:
    """Through the file in /sys."""
    good = random.randrange(1, 100)
    trial.load(level=good)
    for value in (101, -1, random.randrange(102, 10**6), "many"):
        hint = "text" if value == "many" else "runtime"
        trial.expect(not write(trial, value), hint, f"echo {value} > {FILE} was accepted")
        trial.expect(read(trial) == str(good), "kept", f"{value} was refused, but the file now says {read(trial)}")
    trial.expect(write(trial, 100 - good), "runtime", f"echo {100 - good} > {FILE} was refused")
    trial.expect(read(trial) == str(100 - good), "kept", f"{100 - good} was written, the file says {read(trial)}")
