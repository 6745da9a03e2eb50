# SPDX-License-Identifier: MIT
"""Examines an answer: builds it once, and runs each check in a fresh machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.course.checks import Check, CheckFailed, Checks, load_checks
from kmodlab.course.exercise import Exercise
from kmodlab.course.results import CheckResult, ExerciseResult
from kmodlab.course.trial import Hung, Trial
from kmodlab.errors import (
    BuildError,
    GuestError,
    KernelOops,
    KmodlabError,
    MachineLost,
    ModuleLoadError,
    ModuleUnloadError,
    SandboxError,
    UsageError,
)
from kmodlab.host.kernels import ensure_kernel
from kmodlab.machine.machine import Machine

__all__ = ["examine", "nothing_to_examine"]

_NOT_ITS_FAULT = {"starved", "killed", "start"}


class _Shortfall(Exception):
    """What an answer falls short in, of whatever kind, as a hint and a sentence."""

    def __init__(self, hint: str, seen: str, *, retry: bool = False) -> None:
        super().__init__(seen)
        self.hint, self.seen, self.retry = hint, seen, retry


def examine(
    exercise: Exercise,
    answer: ModuleSource,
    kernel: KernelBuild | None = None,
    *,
    hidden: bool = True,
    seed: str | None = None,
    watch: Callable[[str], object] | None = None,
) -> ExerciseResult:
    """Return what an answer is worth.

    Args:
        exercise: whose checks to run.
        answer: the source, see `Exercise.source`.
        kernel: to build for and to run; the lab's default one if None.
        hidden: run the hidden checks too, where they are there.
        seed: what the checks draw at random comes from this, so that the same answer is examined in the same way.
        watch: called with a few words before each step, for progress.

    Raises:
        HostSetupError, ImageError, MachineError, SandboxError: the lab itself could not work; nothing is said of the
            answer then.
    """
    checks = _chosen(load_checks(exercise.folder), hidden)
    say = watch or (lambda words: None)
    chosen = kernel or ensure_kernel()
    say(f"Building {answer.name}")
    try:
        built = build(answer, chosen)
    except SandboxError as error:
        if "stopped" not in str(error):
            raise
        return nothing_to_examine(exercise, checks, "build-error", str(error))
    except (BuildError, UsageError) as error:
        return nothing_to_examine(exercise, checks, "build-error", str(error))
    rows = []
    for one in checks.checks:
        say(f"Checking {one.name}")
        rows.append(_examine_one(one, checks, built, chosen, seed))
    return ExerciseResult(exercise.id, exercise.title, tuple(rows))


def nothing_to_examine(
    exercise: Exercise, checks: Checks | None, verdict: str, message: str, *, hidden: bool = True
) -> ExerciseResult:
    """Return the result of an answer that is not there or does not build: no points, and why."""
    known = checks or _chosen(load_checks(exercise.folder), hidden)
    hint = "build" if verdict == "build-error" else ""
    rows = (CheckResult(one.name, False, message, 0, one.points, hint, known.hints.get(hint, ()), one.hidden) for one
            in known.checks)  # fmt: skip
    return ExerciseResult(exercise.id, exercise.title, tuple(rows), verdict)


def _chosen(checks: Checks, hidden: bool) -> Checks:
    return checks if hidden else replace(checks, checks=tuple(one for one in checks.checks if not one.hidden))


def _examine_one(
    check: Check, checks: Checks, built: ModuleArtifact, kernel: KernelBuild, seed: str | None
) -> CheckResult:
    """Run a check; once more in another machine if the host may be to blame for how it ended."""
    for attempt in (1, 2):
        checks.chance.seed(None if seed is None else f"{seed} {check.name}")
        try:
            with Machine(kernel) as vm, _judged(vm, built):
                check.run(Trial(vm, built))
                _no_complaint(vm)
        except _Shortfall as short:
            if short.retry and attempt == 1:
                continue
            hints = checks.hints.get(short.hint, ())
            if not hints:
                raise UsageError(f"check {check.name}: it names the hint {short.hint!r}, which HINTS lacks") from None
            return CheckResult(check.name, False, short.seen, 0, check.points, short.hint, hints, check.hidden)
        break
    return CheckResult(check.name, True, check.passed, check.points, check.points, hidden=check.hidden)


@contextlib.contextmanager
def _judged(vm: Machine, built: ModuleArtifact) -> Iterator[None]:
    """Turn whatever an answer can bring about into a `_Shortfall`; what is the lab's fault goes through."""
    try:
        yield
    except CheckFailed as failed:
        _oopsed(vm)
        raise _Shortfall(failed.hint, failed.seen) from None
    except KernelOops as oops:
        raise _Shortfall("oops", f"the kernel oopsed: {_oops_words(oops)}") from None
    except Hung as hung:
        raise _Shortfall("hang", _hang_words(hung, built), retry=hung.starved) from None
    except MachineLost as lost:
        _oopsed(vm)
        if lost.reason in _NOT_ITS_FAULT:
            raise
        raise _Shortfall("oops", f"the machine was lost: {lost}".partition(";")[0], retry=True) from None
    except ModuleLoadError as refused:
        raise _Shortfall("load", str(refused)) from None
    except ModuleUnloadError as refused:
        raise _Shortfall("unload", str(refused)) from None
    except GuestError as error:
        raise _Shortfall("command", str(error)) from None
    except (_Shortfall, KmodlabError):
        raise
    except Exception as error:
        # What a module gives may be of any shape, and a check that stumbles over it must not end the others' grading.
        raise _Shortfall("command", f"what came could not be read: {type(error).__name__}: {error}") from None


def _no_complaint(vm: Machine) -> None:
    _oopsed(vm)
    for report in vm.reports():
        place = f" at {report.where.file}:{report.where.line}" if report.where else ""
        raise _Shortfall("warned", f"it does what it should, but the kernel reported {report.title}{place}")


def _oopsed(vm: Machine) -> None:
    """Say first that the kernel oopsed: whatever else was seen comes of it."""
    for report in vm.reports():
        if report.oops:
            place = f" at {report.where.file}:{report.where.line}" if report.where else ""
            raise _Shortfall("oops", f"the kernel oopsed: {report.title}{place}") from None


def _oops_words(oops: KernelOops) -> str:
    where = oops.report.where if oops.report else None
    return f"{oops.title} at {where.file}:{where.line}" if where else oops.title


def _hang_words(hung: Hung, built: ModuleArtifact) -> str:
    stall, place = hung.stall, f" ({hung.place})" if hung.place else ""
    if stall.culprit is None and not stall.unkillable and stall.answered:
        return f"{hung.what!r} did not come to an end: the module always has more to give"
    where = f" in {stall.culprit.function}(){place}" if stall.culprit else f" in {built.name}"
    how = f", waiting in {stall.waits_in}()" if stall.waits_in else ", waiting for a lock" if stall.lock else ""
    return f"{hung.what!r} never came back: it hangs{where}{how}"
