# SPDX-License-Identifier: MIT
"""An exercise: a folder with one C source for solution and skeleton, its checks, and wrong answers to try them on.

::

    lab_modules/NAME/
        NAME.c        the source, with regions for the solution, see `kmodlab.course.skeleton`
        Kbuild, README.md
        lab.toml      with a table [exercise]: id, title, lesson, concept, points
        checks.py     what a learner may see: HINTS and functions marked with @check
        hidden.py     further checks, which the student's copy does not hold (optional)
        wrong.toml    wrong answers as edits of the solution, each with the hint that fits
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmodlab.build.source import ModuleSource
from kmodlab.course.skeleton import has_solution, make_skeleton, make_solution
from kmodlab.errors import UsageError
from kmodlab.resources import resource

__all__ = ["Exercise", "WrongAnswer", "course_folder", "find_exercise", "find_exercises", "read_exercise"]


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """An answer that a checker must not accept.

    Attributes:
        name: what is wrong with it, in a few words.
        hint: the key of the hint that a learner who wrote this should see first.
        text: its C.
    """

    name: str
    hint: str
    text: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise of the course.

    Attributes:
        id: what ``check("…")`` and the grades call it.
        title: a line for people.
        lesson: number of the lesson's row in the course.
        concept: what is learned by it.
        points: of all its checks, the hidden ones included.
        module: the module's name, which a cell ``%%kmod NAME`` is known by.
        folder: where it lies.
        text: its C as it stands there.
    """

    id: str
    title: str
    lesson: str
    concept: str
    points: int
    module: str
    folder: Path
    text: str

    @property
    def complete(self) -> bool:
        """Whether the solution is here; not so in the student's copy."""
        return has_solution(self.text)

    @property
    def skeleton(self) -> str:
        """What the learner starts from."""
        return make_skeleton(self.text)

    @property
    def solution(self) -> str:
        """The reference solution.

        Raises:
            UsageError: this is the student's copy, which does not hold it.
        """
        if not self.complete:
            raise UsageError(f"solve {self.id}: the solution is not part of this copy of the course")
        return make_solution(self.text)

    @property
    def wrong_answers(self) -> tuple[WrongAnswer, ...]:
        """The wrong answers that its checks are proven on.

        Raises:
            UsageError: an edit does not fit the solution.
        """
        path = self.folder / "wrong.toml"
        if not path.is_file():
            return ()
        return tuple(_wrong(self, entry) for entry in _read_toml(path).get("wrong", []))

    def source(self, text: str, *, filename: str | None = None, first_line: int = 1) -> ModuleSource:
        """Return somebody's answer as the source of the exercise's module.

        Raises:
            UsageError: the text holds no C.
        """
        return ModuleSource.from_text(self.module, text, filename=filename, first_line=first_line)


def _wrong(exercise: Exercise, entry: dict[str, Any]) -> WrongAnswer:
    text = exercise.solution
    for old, new in entry["edits"]:
        if text.count(old) != 1:
            raise UsageError(
                f"edit {exercise.id} into {entry['name']!r}: {old!r} stands {text.count(old)} times in the solution; "
                "it must stand there once"
            )
        text = text.replace(old, new)
    return WrongAnswer(entry["name"], entry["hint"], text)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"read {path}: {error}; it must be TOML") from None


def read_exercise(folder: Path) -> Exercise:
    """Return the exercise in a folder.

    Raises:
        UsageError: its ``lab.toml`` or its C file is not there or lacks something.
    """
    facts = _read_toml(folder / "lab.toml")
    given = facts.get("exercise")
    module = facts.get("name", folder.name)
    wanted = ("id", "title", "lesson", "concept")
    if not isinstance(given, dict) or not all(isinstance(given.get(name), str) for name in wanted):
        raise UsageError(f"read {folder}/lab.toml: [exercise] needs {', '.join(wanted)} and points; write them")
    points = given.get("points")
    if not isinstance(points, int) or points < 1:
        raise UsageError(f"read {folder}/lab.toml: points = {points!r}; write how many the exercise gives, at least 1")
    try:
        text = (folder / f"{module}.c").read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"read {folder}/{module}.c: {error}; an exercise is one C file of that name") from None
    identity, title, lesson, concept = (given[name] for name in wanted)
    return Exercise(identity, title, lesson, concept, points, module, folder, text)


def course_folder() -> Path:
    """Return the ``lab_modules`` of the course that the working folder belongs to, else that of kmodlab itself.

    A student's copy stands by itself: a folder with ``lab_modules`` in it, above or at the working folder.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        place = folder / "lab_modules"
        if any(place.glob("*/checks.py")):
            return place
    return resource("lab_modules")


def find_exercises(folder: Path | None = None) -> tuple[Exercise, ...]:
    """Return the exercises of a course by lesson and id.

    Args:
        folder: its ``lab_modules``; that of `course_folder` if None.

    Raises:
        UsageError: one is damaged, or two share an id or the name of a module.
    """
    place = folder or course_folder()
    found = [read_exercise(path.parent) for path in sorted(place.glob("*/checks.py"))]
    for names in ([one.id for one in found], [one.module for one in found]):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise UsageError(f"read {place}: {', '.join(sorted(twice))} is there twice; every exercise needs its own")
    return tuple(sorted(found, key=lambda one: (one.lesson, one.id)))


def find_exercise(name: str, among: Iterable[Exercise] | None = None) -> Exercise:
    """Return the exercise with an id, or whose module has that name.

    Raises:
        UsageError: there is none.
    """
    exercises = tuple(find_exercises() if among is None else among)
    for one in exercises:
        if name in {one.id, one.module}:
            return one
    names = ", ".join(one.id for one in exercises) or "none"
    raise UsageError(f"find exercise {name!r}: there is none of that id; there are {names}")
