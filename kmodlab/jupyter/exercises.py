# SPDX-License-Identifier: MIT
"""Exercises in a notebook: ``check("ID")``, the hints, and the versions of a cell."""

from __future__ import annotations

from typing import Any

from kmodlab.build.source import ModuleSource
from kmodlab.course.examine import examine
from kmodlab.course.exercise import Exercise, find_exercise, find_exercises
from kmodlab.course.learner import Learner, Version
from kmodlab.course.lessons import find_lessons
from kmodlab.course.lock import course_lock, mismatch
from kmodlab.course.map import CourseMap, course_map
from kmodlab.course.results import ExerciseResult
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.jupyter.display import View, note, show
from kmodlab.jupyter.lab import Lab
from kmodlab.progress import step
from kmodlab.records.table import Rows

__all__ = ["Desk"]


class Desk:
    """What one notebook's learner works at; `check` stands in the notebook under that name.

    Attributes:
        learner: the learner's record.
        answers: the source of the last ``%%kmod`` cell of each name, whether it built or not.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.learner = Learner()
        self.answers: dict[str, ModuleSource] = {}
        self._complained = False
        self._held = False

    # -- Checking ---------------------------------------------------------------------------------------------------

    def check(self, exercise: str | None = None) -> ExerciseResult | CourseMap:
        """Return what the answer in the last ``%%kmod`` cell is worth; without a name the map of the course.

        Args:
            exercise: its id, or the name of its module.

        Raises:
            UsageError: there is no such exercise, or no cell with an answer was run.
            HostSetupError, ImageError, MachineError: the lab itself could not work.
        """
        if exercise is None:
            return course_map(find_exercises(), self.learner.best(), find_lessons())
        one = find_exercise(exercise)
        self._hold()
        with step(f"Checking {one.title}") as now:
            result = examine(one, self._answer(one), self.lab.kernel(), hidden=False, watch=now.tell)
        self._kept(lambda: self.learner.note(result))
        return result

    def _hold(self) -> None:
        """Say once in a notebook where this set-up differs from the course's lock: a grader's may judge otherwise."""
        found = None if self._held else course_lock()
        self._held = True
        try:
            words = mismatch(found, self.lab.kernel()) if found else ""
        except UsageError as error:
            words = str(error)
        if words:
            show(note(f"The grade may differ from what you see here: {words}."))

    def _answer(self, one: Exercise) -> ModuleSource:
        source = self.answers.get(one.module)
        if source is not None:
            return source
        try:
            version = self.learner.version(one.module)
        except UsageError:
            raise UsageError(
                f"check {one.id}: no cell that begins with %%kmod {one.module} was run; run it first"
            ) from None
        show(note(f"Checked is what you built on {version.when}: the cell was not run since."))
        return one.source(version.text)

    # -- Hints ------------------------------------------------------------------------------------------------------

    def hint(self, exercise: str | None = None) -> View:
        """Return the next hint for what failed in the last check.

        Raises:
            UsageError: nothing was checked yet.
        """
        name = find_exercise(exercise).id if exercise else None
        result = self.learner.last(name)
        if result is None:
            raise UsageError(f'%hint: nothing was checked yet; run check("{name or "ID"}") first')
        if not result.failed:
            return note(f"{result.title}: all checks passed, there is nothing to hint at.")
        for row in result.failed:
            count = self.learner.shown(result.id, row.hint)
            if count < len(row.hints):
                self.learner.show(result.id, row.hint, count + 1)
                return note(f"Hint {count + 1} of {len(row.hints)} for {row.name}: {row.hints[count]}")
        first = result.failed[0]
        return note(f"That was all. Once more for {first.name}: {' '.join(first.hints)}")

    # -- Versions ---------------------------------------------------------------------------------------------------

    def keep(self, source: ModuleSource, cell: str) -> None:
        """Keep a cell's C before it is built; that this cannot be done must not stand in the way of the build."""
        self.answers[source.name] = source
        self._kept(lambda: self.learner.keep(source.name, cell))

    def _kept(self, write: Any) -> None:
        try:
            write()
        except HostSetupError as error:
            if not self._complained:
                show(note(f"{error}. Your work goes on, but its history is not kept."))
            self._complained = True

    def history(self, name: str) -> Rows[Version]:
        """Return the versions of a module's cell, the newest first."""
        return self.learner.versions(name)

    def restore(self, name: str, number: int, *, replace: bool) -> View:
        """Put an earlier version into the running cell, or into a new one below it.

        Raises:
            UsageError: there is no such version.
        """
        version = self.learner.version(name, number)
        text = f"%%kmod {name}\n{version.text}"
        self.lab.shell.set_next_input(text, replace=replace)
        return note(f"Version {number} of {name}, of {version.when}, stands {'here' if replace else 'below'} again.")
