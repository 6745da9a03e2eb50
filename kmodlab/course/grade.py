# SPDX-License-Identifier: MIT
"""Grades what was handed in: each exercise in machines of its own, several at once, and never twice the same."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmodlab.build.cache import Store
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.course.examine import nothing_to_examine
from kmodlab.course.executor import WorkersDied, open_executor, outcome
from kmodlab.course.exercise import Exercise
from kmodlab.course.results import ExerciseResult
from kmodlab.course.submissions import Answer, Submission
from kmodlab.course.tasks import answer_task, checker_key, do_answer

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
    pool: Executor | None = None,
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
        jobs: how many answers are examined at once, without a pool.
        pool: of workers, which examine them instead of this process (`kmodlab.course.executor`).
        again: examine all anew.
        store: of results; that in the settings' cache folder if None.
        say: called with a line for each answer that was graded.

    Raises:
        HostSetupError: a worker is not set up, or the store cannot be written.
    """
    kept = store or Store(settings().cache / "grades", most=_STORED)
    checker = checker_key()
    copies = _copies(submissions, exercises)
    results: dict[tuple[str, str], ExerciseResult] = {}
    with contextlib.ExitStack() as stack:
        workers = pool or stack.enter_context(open_executor("local", jobs))
        asked: dict[Future[str], _Asked] = {}
        for submission, exercise, answer in _answers(submissions, exercises):
            if (exercise.id, answer.text) in results:
                continue
            key = _key(exercise, answer, kernel, checker)
            entry = None if again else kept.get(key)
            results[exercise.id, answer.text] = ExerciseResult.from_dict(entry.note) if entry else _UNDER_WAY
            if entry is None:
                future = workers.submit(do_answer, answer_task(exercise, answer.text, kernel, key))
                asked[future] = _Asked(exercise, answer, key, submission.path)

        def take(one: _Asked, result: ExerciseResult) -> None:
            results[one.exercise.id, one.answer.text] = result
            if result.verdict != "lab-failed":
                kept.put(one.key, {}, result.to_dict())
            say(f"{one.whose.name}: {one.exercise.id}: {result.points} of {result.of} ({one.answer.place})")

        _take_each(asked, take)
    return [_grade_of(submission, exercises, results, copies) for submission in submissions]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer that is being examined, and under which key its result is stored."""

    exercise: Exercise
    answer: Answer
    key: str
    whose: Path


_UNDER_WAY = ExerciseResult("", "", (), "lab-failed")


def _answers(
    submissions: Sequence[Submission], exercises: Sequence[Exercise]
) -> Iterator[tuple[Submission, Exercise, Answer]]:
    for submission in submissions:
        for exercise in submission.expected(exercises):
            answer = _only(submission, exercise)
            if isinstance(answer, Answer):
                yield submission, exercise, answer


def _take_each(asked: Mapping[Future[str], _Asked], take: Callable[[_Asked, ExerciseResult], None]) -> None:
    """Hand on each result as it comes; where that is interrupted, those too that come while all else is stopped."""
    left = dict(asked)
    try:
        for future in as_completed(asked):
            one = left.pop(future)
            take(one, _result(future, one))
    except BaseException:
        running = [future for future in left if not future.cancel()]
        for future in running:
            take(left[future], _result(future, left[future]))
        raise


def _result(future: Future[str], one: _Asked) -> ExerciseResult:
    try:
        return ExerciseResult.from_dict(outcome(future)["result"])
    except WorkersDied as error:
        return nothing_to_examine(one.exercise, None, "lab-failed", f"not graded, the lab failed: {error}")


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
    results: Mapping[tuple[str, str], ExerciseResult],
    copies: dict[tuple[str, str], list[Path]],
) -> Grade:
    found, notes = [], list(submission.notes)
    for exercise in submission.expected(exercises):
        answer = _only(submission, exercise)
        if isinstance(answer, ExerciseResult):
            found.append(answer)
            notes.append(f"{exercise.id}: {answer.checks[0].message}")
            continue
        found.append(results[exercise.id, answer.text])
        if len(submission.answers[exercise.id]) > 1:
            places = " and ".join(one.place for one in submission.answers[exercise.id])
            notes.append(f"{exercise.id}: duplicated, with the same text: {places}; graded once")
        others = [str(path) for path in copies.get((exercise.id, answer.text), ()) if path != submission.path]
        if others:
            notes.append(f"{exercise.id}: copied: the same text, to the letter, as in {', '.join(others)}")
    return Grade(submission.path, tuple(found), tuple(notes))


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
