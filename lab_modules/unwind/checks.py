# SPDX-License-Identifier: MIT
"""Checks of the exercise ``unwind``: what is left behind, as ``/proc`` and a ledger of allocations see it."""

from __future__ import annotations

from kmodlab.course import Trial, check

HINTS = {
    "success": (
        "insmod said yes although a step had failed: what does your init function return then?",
        "Set err to a negative error number before each goto, and return err below the labels.",
    ),
    "errno": ("The task asks for -ENOMEM.", "err = -ENOMEM; before the goto."),
    "folder": (
        "After a failure of step 3 /proc/unwind is still there, and nobody can remove it any more.",
        "proc_remove(folder) belongs below a label that step 3 jumps to.",
    ),
    "leak": (
        "Memory that step 1 took was not given back.",
        "kfree(note) belongs on every way out of the init function after step 1, and into the exit function.",
    ),
    "exit": (
        "After rmmod something of the module is still there.",
        "The exit function undoes all that init did, the last step first.",
    ),
    "works": ("Without a failure all three steps must stay done.", "Is there a return 0 in front of the labels?"),
}


def proc_is_clean(trial: Trial) -> bool:
    """Whether ``/proc/unwind`` is gone."""
    return trial.run("test -e /proc/unwind").exit_status != 0


def fails_cleanly(trial: Trial, step: int) -> None:
    """Let a step fail, and look at what is left."""
    with trial.no_leak():
        error = trial.refused(fail=step)
        trial.expect(error, "success", f"step {step} failed, but insmod said that all was well")
        trial.expect(error == "ENOMEM", "errno", f"step {step} failed and init returned {error}, not ENOMEM")
        trial.expect(proc_is_clean(trial), "folder", f"after a failure of step {step} /proc/unwind is still there")
    trial.load()
    note = trial.run("cat /proc/unwind/note").stdout
    trial.expect(note, "works", f"after a failure of step {step} the module loads, but /proc/unwind/note is empty")


@check(points=2, passed="it comes and goes, and leaves nothing behind")
def comes_and_goes(trial: Trial) -> None:
    """The way without a failure, twice."""
    with trial.no_leak():
        for _ in range(2):
            trial.load()
            note = trial.run("cat /proc/unwind/note")
            trial.expect(
                note.stdout == "all three steps went well\n", "works", f"cat shows {note.stdout or note.stderr!r}"
            )
            trial.unload()
            trial.expect(proc_is_clean(trial), "exit", "after rmmod /proc/unwind is still there")


@check(points=2, passed="when step 2 fails, step 1 is undone")
def second_step(trial: Trial) -> None:
    """Step 2."""
    fails_cleanly(trial, 2)


@check(points=2, passed="when step 3 fails, steps 2 and 1 are undone")
def third_step(trial: Trial) -> None:
    """Step 3."""
    fails_cleanly(trial, 3)
