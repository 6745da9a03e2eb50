# SPDX-License-Identifier: MIT
"""Grades what was handed in: each exercise in machines of its own, several at once, and never twice the same."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmodlab.build.cache import Store
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.course.examine import examine, nothing_to_examine
from kmodlab.course.exercise import Exercise
from kmodlab.course.results import ExerciseResult
from kmodlab.course.submissions import Answer, Submission
from kmodlab.errors import KmodlabError, UsageError

__all__ = ["Grade", "grade", "grades_csv"]

_STORED = 20_000


@dataclass(frozen=True, slots=True)
class Grade:
    """What one student got.

    Attributes:
        path: of the submission.
        exercises: what came of each exercise that should be in it.
        notes: what could not be read, and whose text is the same as another's.
    """

    path: Path
    exercises: tuple[ExerciseResult, ...]
    notes: tuple[str, ...]

    @property
    def points(self) -> int:
        """Points got."""
        return sum(one.points for one in self.exercises)

    @property
    def of(self) -> int:
        """Points to be had."""
        return sum(one.of for one in self.exercises)

    @property
    def graded(self) -> bool:
        """Whether all of it could be graded: false if the lab itself failed."""
        return all(one.verdict != "lab-failed" for one in self.exercises)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        facts = {"path": str(self.path), "points": self.points, "of": self.of, "notes": list(self.notes)}
        return facts | {"exercises": [one.to_dict() for one in self.exercises]}


def grade(
    submissions: Sequence[Submission],
    exercises: Sequence[Exercise],
    kernel: KernelBuild,
    *,
    jobs: int = 1,
    again: bool = False,
    store: Store | None = None,
    say: Callable[[str], object] = lambda words: None,
) -> list[Grade]:
    """Return the grades, in the order of the submissions.

    A result is stored as soon as it is there, under all that it depends on: the answer's text, the exercise and the
    kernel. So a run that was interrupted goes on where it was, and the same text gets the same grade. What checks draw
    at random is drawn from the same facts: graded anew, an answer meets the same numbers.

    Args:
        submissions: what was handed in.
        exercises: of the course.
        kernel: to build for and to run.
        jobs: how many answers are examined at once.
        again: examine all anew.
        store: of results; that in the settings' cache folder if None.
        say: called with a line for each answer that was graded.
    """
    kept = store or Store(settings().cache / "grades", most=_STORED)
    checker = _checker_key()
    pending: dict[tuple[str, str], Future[ExerciseResult]] = {}
    copies = _copies(submissions, exercises)
    with ThreadPoolExecutor(jobs, thread_name_prefix="grade") as pool:

        def one(exercise: Exercise, answer: Answer, whose: Path) -> ExerciseResult:
            key = _key(exercise, answer, kernel, checker)
            entry = None if again else kept.get(key)
            if entry is not None:
                return ExerciseResult.from_dict(entry.note)
            result = _examined(exercise, answer, kernel, key)
            if result.verdict != "lab-failed":
                kept.put(key, {}, result.to_dict())
            say(f"{whose.name}: {exercise.id}: {result.points} of {result.of} ({answer.place})")
            return result

        try:
            for submission in submissions:
                for exercise in submission.expected(exercises):
                    answer = _only(submission, exercise)
                    if isinstance(answer, Answer) and (exercise.id, answer.text) not in pending:
                        pending[exercise.id, answer.text] = pool.submit(one, exercise, answer, submission.path)
            return [_grade_of(submission, exercises, pending, copies) for submission in submissions]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _only(submission: Submission, exercise: Exercise) -> Answer | ExerciseResult:
    """The one answer to an exercise, or why there is none."""
    answers = submission.answers.get(exercise.id, [])
    if len({answer.text for answer in answers}) == 1:
        return answers[0]
    if not answers:
        words = f"missing: there is neither a cell %%kmod {exercise.module} nor a file {exercise.module}.c"
        return nothing_to_examine(exercise, None, "missing", words)
    places = " and ".join(answer.place for answer in answers)
    words = f"duplicated: {places} answer {exercise.id} differently; one must go"
    return nothing_to_examine(exercise, None, "duplicate", words)


def _grade_of(
    submission: Submission,
    exercises: Sequence[Exercise],
    pending: dict[tuple[str, str], Future[ExerciseResult]],
    copies: dict[tuple[str, str], list[Path]],
) -> Grade:
    results, notes = [], list(submission.notes)
    for exercise in submission.expected(exercises):
        answer = _only(submission, exercise)
        if isinstance(answer, ExerciseResult):
            results.append(answer)
            notes.append(f"{exercise.id}: {answer.checks[0].message}")
            continue
        results.append(pending[exercise.id, answer.text].result())
        if len(submission.answers[exercise.id]) > 1:
            places = " and ".join(one.place for one in submission.answers[exercise.id])
            notes.append(f"{exercise.id}: duplicated, with the same text: {places}; graded once")
        others = [str(path) for path in copies.get((exercise.id, answer.text), ()) if path != submission.path]
        if others:
            notes.append(f"{exercise.id}: copied: the same text, to the letter, as in {', '.join(others)}")
    return Grade(submission.path, tuple(results), tuple(notes))


def _copies(submissions: Sequence[Submission], exercises: Sequence[Exercise]) -> dict[tuple[str, str], list[Path]]:
    """Which submissions hold the same answer; whoever left the skeleton as it was has copied from nobody."""
    found: dict[tuple[str, str], list[Path]] = {}
    skeletons = {(one.id, one.skeleton.strip()) for one in exercises}
    for submission in submissions:
        for name, answers in submission.answers.items():
            for text in {answer.text for answer in answers}:
                if (name, text.strip()) not in skeletons:
                    found.setdefault((name, text), []).append(submission.path)
    return found


def _examined(exercise: Exercise, answer: Answer, kernel: KernelBuild, seed: str) -> ExerciseResult:
    """What an answer is worth; a failure of the lab is tried once more, and then told as such."""
    try:
        source = exercise.source(answer.text)
    except UsageError as error:
        return nothing_to_examine(exercise, None, "build-error", str(error))
    for attempt in (1, 2):
        try:
            return examine(exercise, source, kernel, seed=seed)
        except KmodlabError as error:
            if attempt == 2:
                return nothing_to_examine(exercise, None, "lab-failed", f"not graded, the lab failed: {error}")
    raise AssertionError("unreachable")


def _checker_key() -> str:
    """A hash of the machinery that examines."""
    here = Path(__file__).parent
    names = ("checks.py", "trial.py", "examine.py", "calls.c")
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in names)).hexdigest()


def _key(exercise: Exercise, answer: Answer, kernel: KernelBuild, checker: str) -> str:
    digest = hashlib.sha256(f"{checker}\0{kernel.key}\0{exercise.id}\0{exercise.title}".encode())
    for path in sorted(exercise.folder.glob("*.py")):
        digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    digest.update(b"\0" + answer.text.encode(errors="surrogatepass"))
    return digest.hexdigest()[:40]


def grades_csv(grades: Sequence[Grade]) -> str:
    """Return the grades as CSV: a line a student, a column an exercise (empty: not among the expected)."""
    ids = list(dict.fromkeys(one.id for each in grades for one in each.exercises))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["submission", "points", "of", *ids, "notes"])
    for each in grades:
        points = {one.id: "" if one.verdict == "lab-failed" else one.points for one in each.exercises}
        cells = [str(each.path), each.points, each.of, *(points.get(name, "") for name in ids), "; ".join(each.notes)]
        writer.writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: object) -> object:
    """What a student has named must not become a formula in the instructor's spreadsheet."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell
