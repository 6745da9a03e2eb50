# SPDX-License-Identifier: MIT
"""What came of an answer, check by check: frozen records that show themselves as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

from kmodlab.records.table import Column, Rows

__all__ = ["CheckResult", "ExerciseResult"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check.

    Attributes:
        name: of the check.
        passed: whether the answer did what was wanted.
        message: a sentence: what it does, or what was seen instead.
        points: got.
        of: points to be had.
        hint: key of the hint that fits; empty if it passed.
        hints: the texts of that hint, from a nudge to the point.
        hidden: whether the learner's copy lacks this check.
    """

    name: str
    passed: bool
    message: str
    points: int
    of: int
    hint: str = ""
    hints: tuple[str, ...] = ()
    hidden: bool = False

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "check"),
        Column("word", "result"),
        Column("score", "points", kind="text"),
        Column("message", "what was seen"),
        Column("nudge", "hint"),
    )

    @property
    def word(self) -> str:
        """``passed`` or ``failed``."""
        return "passed" if self.passed else "failed"

    @property
    def score(self) -> str:
        """Points as ``1 of 2``."""
        return f"{self.points} of {self.of}"

    @property
    def nudge(self) -> str:
        """The first text of the hint, empty if it passed."""
        return self.hints[0] if self.hints else ""

    @property
    def tone(self) -> str:
        """How its row is coloured."""
        return "" if self.passed else "bad"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        names = ("name", "passed", "message", "points", "of", "hint")
        return {name: getattr(self, name) for name in names} | {"hints": list(self.hints), "hidden": self.hidden}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> CheckResult:
        """Return what `to_dict` was made of."""
        return cls(**{**fields, "hints": tuple(fields["hints"])})


@dataclass(frozen=True, slots=True)
class ExerciseResult:
    """What came of an answer to one exercise.

    Attributes:
        id, title: of the exercise.
        checks: what came of each check.
        verdict: ``built`` if the checks were run, ``build-error`` if there was nothing to run them on, ``missing`` or
            ``duplicate`` if there was no one answer, ``lab-failed`` if nothing can be said of it.
    """

    id: str
    title: str
    checks: tuple[CheckResult, ...]
    verdict: str = "built"

    @property
    def points(self) -> int:
        """Points got."""
        return sum(one.points for one in self.checks)

    @property
    def of(self) -> int:
        """Points to be had."""
        return sum(one.of for one in self.checks)

    @property
    def ok(self) -> bool:
        """Whether all checks passed."""
        return all(one.passed for one in self.checks)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that the answer did not pass."""
        return tuple(one for one in self.checks if not one.passed)

    @property
    def headline(self) -> str:
        """One line: title and points."""
        praise = " Well done: all checks passed." if self.ok else " %hint tells more." if self.failed else ""
        return f"{self.title}: {self.points} of {self.points_word}.{praise}"

    @property
    def points_word(self) -> str:
        """The points to be had, as ``4 points``."""
        return f"{self.of} point{'' if self.of == 1 else 's'}"

    def table(self) -> Rows[CheckResult]:
        """Return the checks as a table; if it did not build, only what the compiler said."""
        rows = self.checks[:1] if self.verdict != "built" else self.checks
        return Rows(rows, caption=self.headline)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        facts = {"id": self.id, "title": self.title, "verdict": self.verdict, "points": self.points, "of": self.of}
        return facts | {"checks": [one.to_dict() for one in self.checks]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ExerciseResult:
        """Return what `to_dict` was made of."""
        checks = tuple(map(CheckResult.from_dict, fields["checks"]))
        return cls(fields["id"], fields["title"], checks, fields["verdict"])

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<div role="group" aria-label="{escape(self.headline)}">{self.table()._repr_html_()}</div>'
