# SPDX-License-Identifier: MIT
"""The map of the course: its exercises, and how far a learner has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from kmodlab.course.checks import load_checks
from kmodlab.course.exercise import Exercise
from kmodlab.course.learner import Best
from kmodlab.course.lessons import Lesson
from kmodlab.records.table import Column, Rows

if TYPE_CHECKING:
    from kmodlab.plot import Picture
    from kmodlab.plot.theme import ThemeName

__all__ = ["CourseMap", "Place", "course_map"]


@dataclass(frozen=True, slots=True)
class Place:
    """An exercise on the map.

    Attributes:
        lesson, id, title, concept: of the exercise.
        points, of: the best so far, and what is to be had.
        tries: how often it was checked.
    """

    lesson: str
    id: str
    title: str
    concept: str
    points: int
    of: int
    tries: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("lesson"),
        Column("id", "exercise", kind="code"),
        Column("title"),
        Column("concept"),
        Column("state"),
        Column("score", "points"),
    )

    @property
    def state(self) -> str:
        """``done``, ``begun`` or ``not tried``."""
        return "done" if self.tries and self.points >= self.of else "begun" if self.tries else "not tried"

    @property
    def score(self) -> str:
        """Points as ``2 of 5``."""
        return f"{self.points} of {self.of}"

    @property
    def tone(self) -> str:
        """How its row is coloured."""
        return {"done": "note", "begun": "warn"}.get(self.state, "")


class CourseMap(Rows[Place]):
    """The exercises in the course's order, which show themselves as a picture and, below it, as a table.

    Attributes:
        titles: of the lessons, by number.
    """

    titles: Mapping[str, str] = MappingProxyType({})

    @property
    def done(self) -> int:
        """How many exercises are done."""
        return sum(row.state == "done" for row in self)

    @property
    def points(self) -> int:
        """Points got, at best."""
        return sum(row.points for row in self)

    @property
    def of(self) -> int:
        """Points to be had."""
        return sum(row.of for row in self)

    @property
    def next(self) -> Place | None:
        """The first exercise that is not done, or None if all are."""
        return next((row for row in self if row.state != "done"), None)

    @property
    def finding(self) -> str:
        """How far the learner is, in a line."""
        if self.next is None:
            return f"All {len(self)} exercises done, {self.points} points" if self else "No exercises here"
        if not self.done:
            return f"{len(self)} exercises, {self.points} of {self.of} points; begin with “{self.next.title}”"
        so_far = f"{self.done} of {len(self)} exercises done, {self.points} of {self.of} points"
        return f"{so_far}; next: “{self.next.title}”"

    def picture(self, theme: ThemeName | None = None) -> Picture:
        """Return the map, drawn."""
        from kmodlab.course.picture import draw_map
        from kmodlab.plot import show

        return show(draw_map(self, theme=theme))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle = self.picture()._repr_mimebundle_()
        return {**bundle, "text/plain": str(self), "text/html": bundle["text/html"] + self._repr_html_()}


def course_map(exercises: Iterable[Exercise], best: Mapping[str, Best], lessons: Iterable[Lesson] = ()) -> CourseMap:
    """Return the exercises in the course's order, each with the best result so far.

    Args:
        exercises: of the course.
        best: by id, see `kmodlab.course.learner.Learner.best`.
        lessons: whose titles stand on the map, and whose notebooks say in which order the exercises come.
    """
    known = tuple(lessons)
    order = {name: number for number, name in enumerate(name for lesson in known for name in lesson.exercises)}
    rows = []
    for one in sorted(exercises, key=lambda one: (one.lesson, order.get(one.id, len(order)))):
        of = sum(check.points for check in load_checks(one.folder).checks if not check.hidden)
        reached = best.get(one.id, Best(0, of, 0))
        rows.append(Place(one.lesson, one.id, one.title, one.concept, min(reached.points, of), of, reached.tries))
    course = CourseMap(rows, columns=Place.COLUMNS)
    course.titles = {one.number: one.title for one in known}
    course.caption = f"The course: {course.done} of {len(rows)} exercises done, {course.points} of {course.of} points"
    return course
