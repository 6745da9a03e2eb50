# SPDX-License-Identifier: MIT
"""Checks of the exercise ``latch``: the kernel's own count of references, and whether rmmod is refused."""

from __future__ import annotations

from kmodlab.course import Trial, check
from kmodlab.errors import ModuleUnloadError

HOLD = "/sys/module/latch/parameters/hold"

HINTS = {
    "take": (
        "The module holds, and the kernel's reference count does not show it.",
        "try_module_get(THIS_MODULE) takes a reference; it returns false if there is none to be had.",
    ),
    "in-use": ("rmmod went through although the module was to stay.", "Who holds a reference stops rmmod."),
    "give": ("It holds no longer: module_put(THIS_MODULE) gives the reference back.",),
    "twice": (
        "Who already holds does not take another reference: the second 1 changes nothing.",
        "Compare wanted with holding: only a change means something.",
    ),
    "never": (
        "A reference was given back that nobody had taken. The count is below what it was at the start.",
        "Only who holds gives back: look at holding first.",
    ),
    "again": ("Once it has been given back, it must be possible to take it again.",),
    "parameter": ("hold must read 1 while the module holds, and 0 else.",),
    "early": (
        "insmod latch.ko hold=1 calls hold_set() before latch_init(): it holds from the beginning.",
        "try_module_get() works in that moment too. Do not wait for anything that init does.",
    ),
}


def count(trial: Trial) -> int | None:
    """The kernel's count of references."""
    return trial.vm.lsmod().named("latch").refcount


def hold(trial: Trial, value: int) -> None:
    """Write to the parameter, and look whether it says so."""
    done = trial.run(f"echo {value} > {HOLD}; cat {HOLD}")
    trial.expect(done.stdout == f"{value}\n", "parameter", f"{value} was written to hold, and it says {done.stdout!r}")


def is_held(trial: Trial, hint: str) -> None:
    """One reference, and rmmod refused."""
    trial.expect(count(trial) == 1, hint, f"hold is 1, and the reference count is {count(trial)}, not 1")
    try:
        trial.unload()
    except ModuleUnloadError:
        return
    trial.expect(False, "in-use", "hold is 1, and rmmod unloads the module")


@check(points=2, passed="while it holds, it cannot be unloaded; then it can")
def holds(trial: Trial) -> None:
    """There and back, twice."""
    trial.load()
    trial.expect(count(trial) == 0, "never", f"nobody holds, and the reference count is {count(trial)}")
    for hint in ("take", "again"):
        hold(trial, 1)
        is_held(trial, hint)
        hold(trial, 0)
        trial.expect(count(trial) == 0, "give", f"hold is 0 again, and the reference count is {count(trial)}")
    trial.unload()


@check(points=2, passed="writing the same value again changes nothing")
def counts_once(trial: Trial) -> None:
    """1 twice, 0 twice."""
    trial.load()
    hold(trial, 1)
    trial.expect(count(trial) == 1, "take", f"hold is 1, and the reference count is {count(trial)}")
    hold(trial, 1)
    trial.expect(count(trial) == 1, "twice", f"1 was written twice, and the reference count is {count(trial)}")
    hold(trial, 0)
    trial.expect(count(trial) == 0, "give", f"hold is 0 again, and the reference count is {count(trial)}")
    hold(trial, 0)
    trial.expect(count(trial) == 0, "never", f"0 was written twice, and the reference count is {count(trial)}")


@check(points=1, passed="who never held gives nothing back")
def gives_what_it_has(trial: Trial) -> None:
    """0 first; then it must still work."""
    trial.load()
    hold(trial, 0)
    trial.expect(count(trial) == 0, "never", f"0 was written at once, and the reference count is {count(trial)}")
    hold(trial, 1)
    is_held(trial, "take")


@check(points=1, passed="it can hold from the beginning")
def holds_from_the_beginning(trial: Trial) -> None:
    """As a parameter of insmod."""
    trial.load(hold=1)
    is_held(trial, "early")
    hold(trial, 0)
    trial.unload()
