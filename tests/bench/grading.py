# SPDX-License-Identifier: MIT
"""Figures of grading: how many submissions a second, and how that grows with the workers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Row, row, seconds_of

from kmodlab.build.cache import Store
from kmodlab.course.checks import load_checks
from kmodlab.course.exercise import find_exercise, find_exercises
from kmodlab.course.grade import grade
from kmodlab.course.submissions import Answer, Submission
from kmodlab.host.kernels import ensure_kernel
from kmodlab.resources import resource

__all__ = ["grading"]

_CLASS = 8


def grading() -> Iterator[Row]:
    """Right answers to one exercise, no two alike, by one worker, by two and by four."""
    exercise, kernel = find_exercise("bounded", find_exercises(resource("lab_modules"))), ensure_kernel()
    checks = len(load_checks(exercise.folder).checks)
    for jobs in (1, 2, 4):
        year = time.time_ns()
        handed_in = [
            Submission(Path(str(number)), {exercise.id: [Answer(f"/* {number} {year} */\n{exercise.solution}", "c")]})
            for number in range(_CLASS)
        ]
        with tempfile.TemporaryDirectory() as place:
            store = Store(Path(place))
            seconds = seconds_of(lambda: grade(handed_in, [exercise], kernel, jobs=jobs, store=store))  # noqa: B023
        words = f"{_CLASS} submissions, each built, and run in {checks} fresh machines"
        yield row(f"grading_{jobs}", "1/s", None, [_CLASS / seconds], note=words)
