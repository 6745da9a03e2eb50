# SPDX-License-Identifier: MIT
"""Checks of the exercise ``alive``: what the file says, beside the machine's own clock before and after."""

from __future__ import annotations

from typing import NamedTuple

from kmodlab.course import Trial, check

FILE = "/sys/module/alive/parameters/ms"
CLOCK = "read up rest < /proc/uptime; echo $up"
GRAIN = 30
"""Milliseconds: the file /proc/uptime counts hundredths of a second, and some clocks of the kernel are as coarse."""

HINTS = {
    "nothing": (
        "The file is empty or cannot be read: ms_get() returns how many bytes it has written.",
        "sysfs_emit() returns that number: return sysfs_emit(buffer, …);",
    ),
    "number": ("The file must hold one number and nothing else.", 'The format is "%lld\\n".'),
    "newline": (
        "Each line of a text file ends with a newline, in /sys as well: try cat on yours.",
        'The format is "%lld\\n".',
    ),
    "moves": (
        "The file says the same a second later. Who computes the number, and when?",
        "ms_get() runs at each read: take ktime_get() there, and compare it with the time of loading.",
    ),
    "unit": ("The number must count milliseconds.", "ktime_ms_delta(later, earlier) gives milliseconds."),
    "begin": (
        "The number must be 0 at the moment of loading: from when on does yours count?",
        "The init function runs at that moment: loaded = ktime_get(); there.",
    ),
    "set": (
        "Somebody gave the module a value for ms, and it said yes.",
        "What ms_set() returns goes to insmod: return -EPERM; with the minus sign.",
    ),
    "errno": ("Which error number does the task ask for?", "EPERM means: operation not permitted."),
}


class Reading(NamedTuple):
    """One look at the file: milliseconds of the machine's clock before it, what the file said, and after it."""

    before: float
    value: int
    after: float


def now(trial: Trial) -> float:
    """The machine's clock, in milliseconds."""
    return 1000 * float(trial.run(CLOCK).stdout)


def read(trial: Trial, wait: float = 0) -> Reading:
    """Look at the file and at the clock, after so many seconds."""
    said = trial.run(f"sleep {wait}; {CLOCK}; cat {FILE} | od -An -v -tx1; {CLOCK}").stdout.split()
    text = bytes.fromhex("".join(said[1:-1])).decode("ascii", "replace")
    trial.expect(text, "nothing", f"cat {FILE} gave nothing")
    trial.expect(text.strip().isdecimal(), "number", f"{FILE} says {text!r}, which is no number")
    trial.expect(text.endswith("\n"), "newline", f"{FILE} says {text!r}, without a newline at the end")
    return Reading(1000 * float(said[0]), int(text), 1000 * float(said[-1]))


@check(points=2, passed="the number grows by one each millisecond")
def goes_on(trial: Trial) -> None:
    """Two looks, a good second apart."""
    trial.load()
    first, second = read(trial), read(trial, wait=1.2)
    grown = second.value - first.value
    least, most = second.before - first.after, second.after - first.before
    trial.expect(grown, "moves", f"{first.value} at first, and {second.value} when {least:.0f} ms had passed")
    seen = f"in {least:.0f} to {most:.0f} ms the number grew by {grown}"
    trial.expect(least - GRAIN <= grown <= most + GRAIN, "unit", seen)


@check(points=2, passed="it counts from the moment of loading, in each life anew")
def begins_with_the_module(trial: Trial) -> None:
    """Two lives."""
    for _ in range(2):
        before = now(trial)
        trial.load()
        after = now(trial)
        seen = read(trial, wait=0.1)
        least, most = seen.before - after, seen.after - before
        said = f"{least:.0f} to {most:.0f} ms after loading the file says {seen.value}"
        trial.expect(least - GRAIN <= seen.value <= most + GRAIN, "begin", said)
        trial.unload()


@check(points=2, passed="nobody can set it")
def cannot_be_set(trial: Trial) -> None:
    """At load."""
    error = trial.refused(ms=5)
    trial.expect(error, "set", "insmod alive.ko ms=5 was accepted")
    trial.expect(error == "EPERM", "errno", f"insmod alive.ko ms=5 was refused with {error}, not EPERM")
    trial.load()
    read(trial)
