# SPDX-License-Identifier: MIT
"""The map of the course: its exercises, and how far a learner has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kmodlab.course.checks import load_checks
from kmodlab.course.exercise import Exercise
from kmodlab.course.learner import Best
from kmodlab.records.table import Column, Rows

__all__ = ["Place", "course_map"]


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


def course_map(exercises: Iterable[Exercise], best: Mapping[str, Best]) -> Rows[Place]:
    """Return the exercises in the course's order, each with the best result so far."""
    rows = []
    for one in exercises:
        of = sum(check.points for check in load_checks(one.folder).checks if not check.hidden)
        reached = best.get(one.id, Best(0, of, 0))
        rows.append(Place(one.lesson, one.id, one.title, one.concept, min(reached.points, of), of, reached.tries))
    done = sum(row.state == "done" for row in rows)
    points, total = sum(row.points for row in rows), sum(row.of for row in rows)
    caption = f"The course: {done} of {len(rows)} exercises done, {points} of {total} points"
    return Rows(rows, caption=caption, columns=Place.COLUMNS)
