# SPDX-License-Identifier: MIT
"""Grading: a class with every kind of submission, twice, interrupted, and through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kmodlab.build.cache import Store
from kmodlab.build.kernel import KernelBuild
from kmodlab.course.exercise import find_exercises
from kmodlab.course.grade import Grade, grade
from kmodlab.course.submissions import find_submissions, read_submission
from kmodlab.resources import resource
from tests.course.classroom import SIZE, TRAP, hand_in, make_class

pytestmark = pytest.mark.machine

EXERCISES = [one for one in find_exercises(resource("lab_modules")) if one.id == "bounded"]
BOUNDED = EXERCISES[0]
UNWIND = next(one for one in find_exercises(resource("lab_modules")) if one.id == "unwind")
BROKEN = BOUNDED.solution.replace("return 0;", "return 0")


def graded(folder: Path, kernel: KernelBuild, store: Store, jobs: int = 2) -> dict[str, Grade]:
    found = [read_submission(path, EXERCISES) for path in find_submissions([folder], EXERCISES)]
    return {each.path.name: each for each in grade(found, EXERCISES, kernel, jobs=jobs, store=store)}


def test_a_small_class(frozen: KernelBuild, tmp_path: Path) -> None:
    room = tmp_path / "class"
    for name, answers in {
        "right": [BOUNDED.solution],
        "broken": [BROKEN],
        "empty": ["/* nothing */\n"],
        "deleted": [],
        "differs": [BOUNDED.solution, BOUNDED.skeleton],
    }.items():
        hand_in(room / name, *(("bounded", text) for text in answers))
    (room / "damaged.ipynb").write_text('{"cells": [')
    grades = graded(room, frozen, Store(tmp_path / "one"))
    assert {name: each.points for name, each in grades.items()} == {name: 5 * (name == "right") for name in grades}
    assert {each.of for each in grades.values()} == {5}
    said = {name: each.exercises[0].checks[0].message for name, each in grades.items()}
    assert "missing" in said["deleted"]
    assert "cell 2 and first.ipynb, cell 3" in said["differs"]
    assert "expected ';'" in said["broken"]
    assert "damaged" in " ".join(grades["damaged.ipynb"].notes)


def grade_command(room: Path, *more: str) -> list[str]:
    command = ["grade", str(room), "--exercise", "bounded", "--exercise", "unwind", "--json", *more]
    return [sys.executable, "-m", "kmodlab", *command]


def interrupted(argv: list[str], number: int) -> list[str]:
    """Run a command and send it a signal after some answers were graded; return the lines that said so."""
    lines: list[str] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        while len(lines) < 6:
            line = process.stderr.readline()
            assert line, "it ended too early"
            lines += [line] if " of " in line else []
        os.kill(process.pid, number)
        lines += [line for line in process.stderr if " of " in line]
    assert process.returncode == (-9 if number == signal.SIGKILL else 130)
    return lines


@pytest.mark.slow
def test_a_class_of_forty_gets_the_same_grades_twice(frozen: KernelBuild, tmp_path: Path) -> None:
    room, outside = tmp_path / "class", tmp_path / "outside" / "secret.h"
    outside.parent.mkdir()
    outside.write_text("#error this is outside\n")
    points = make_class(room, BOUNDED, UNWIND, outside, year=str(time.time_ns()))

    lines = interrupted(grade_command(room, "--jobs", "2"), signal.SIGKILL)
    lines += interrupted(grade_command(room, "--jobs", "2"), signal.SIGINT)
    first = subprocess.run(grade_command(room, "--jobs", "2"), capture_output=True, text=True, check=False)
    assert first.returncode == 1, first.stderr
    lines += [line for line in first.stderr.splitlines() if " of " in line]
    second = subprocess.run(grade_command(room, "--jobs", "3", "--again"), capture_output=True, text=True, check=False)
    assert second.stdout == first.stdout
    answers = sum(" of " in line for line in second.stderr.splitlines())
    # What was under way when the power went is examined once more, and nothing else.
    assert answers <= len(lines) <= answers + 2

    found = {Path(each["path"]).name: each for each in json.loads(first.stdout)["submissions"]}
    assert len(found) == SIZE
    assert {each["of"] for each in found.values()} == {BOUNDED.points + UNWIND.points}
    got = {name: each["points"] for name, each in found.items()}
    some = {name for name, wanted in points.items() if wanted < 0}
    assert {name: got[name] for name in points if name not in some} == {
        name: wanted for name, wanted in points.items() if name not in some
    }
    assert all(0 <= got[name] < BOUNDED.points + UNWIND.points for name in some)
    said = {name: each["exercises"][0]["checks"][0]["message"] for name, each in found.items()}
    assert "bounded_init() (bounded.c:" in said["hangs"]
    assert "NULL pointer dereference in bounded_init" in said["crashes"]
    assert "expected ';'" in said["does-not-compile"]
    assert "unwind_init" in found["hangs-later"]["exercises"][1]["checks"][0]["message"]
    assert found["hangs-later"]["exercises"][0]["points"] == BOUNDED.points
    notes = {name: " ".join(each["notes"]) for name, each in found.items()}
    for name, words in {
        "torn": "damaged", "garbage": "damaged", "utf-16": "damaged", "huge": "larger than", "link": "a link",
        "deleted": "missing", "empty": "missing", "differs": "duplicated", "twice": "graded once",
        "copied": "as in", "nested.ipynb": "missing",
    }.items():  # fmt: skip
        assert words in notes[name], f"{name}: {notes[name]}"
    assert "right-0" in notes["copied"]
    assert [path.name for path in outside.parent.iterdir()] == ["secret.h"]
    assert "this is outside" not in first.stdout
    assert "was run" not in first.stdout + first.stderr


def test_what_was_graded_is_not_examined_again(frozen: KernelBuild, tmp_path: Path) -> None:
    hand_in(tmp_path / "class" / "anna", ("bounded", BOUNDED.skeleton))
    store = Store(tmp_path / "grades")
    first = graded(tmp_path / "class", frozen, store)
    before = time.monotonic()
    again = graded(tmp_path / "class", frozen, store)
    assert time.monotonic() - before < 1
    assert again == first
    hand_in(tmp_path / "class" / "ben", ("bounded", BOUNDED.skeleton + "\n"))
    assert len(graded(tmp_path / "class", frozen, store)) == 2


def test_interrupted_and_started_again_it_goes_on(frozen: KernelBuild, tmp_path: Path) -> None:
    for number in range(3):
        hand_in(tmp_path / "class" / str(number), ("bounded", f"{BOUNDED.skeleton}/* {number} */\n"))
    table = tmp_path / "grades.csv"
    command = ["grade", str(tmp_path / "class"), "--exercise", "bounded", "--jobs", "1", "--again"]
    argv = [sys.executable, "-m", "kmodlab", *command, "--json", "--csv", str(table)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr and process.stdout
        while "bounded: 0 of 5" not in (line := process.stderr.readline()):
            assert line, "it ended before it had graded anything"
        os.kill(process.pid, signal.SIGINT)
        assert set(json.loads(process.stdout.read())) != {"submissions"}
        process.stderr.read()
    assert process.returncode == 130
    argv.remove("--again")
    finished = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert finished.returncode == 1, finished.stderr
    assert finished.stderr.count("bounded: 0 of 5") < 3
    found = json.loads(finished.stdout)["submissions"]
    assert [(each["points"], each["of"], [one["id"] for one in each["exercises"]]) for each in found] == [
        (0, 5, ["bounded"])
    ] * 3
    check = found[0]["exercises"][0]["checks"][0]
    assert {"name", "passed", "message", "points", "of", "hint"} <= set(check)
    assert table.read_text().splitlines()[0] == "submission,points,of,bounded,notes"


def test_a_students_python_is_not_run_even_from_within_the_students_folder(frozen: KernelBuild, tmp_path: Path) -> None:
    place = tmp_path / "lab_modules" / "bounded"
    place.mkdir(parents=True)
    for name in ("checks.py", "hidden.py"):
        (place / name).write_text(f"{TRAP}\n")
    (place / "lab.toml").write_text((BOUNDED.folder / "lab.toml").read_text())
    (place / "bounded.c").write_text("/* nothing */\n")
    argv = [sys.executable, "-P", "-m", "kmodlab", "grade", ".", "--exercise", "bounded", "--json"]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert finished.returncode == 1, finished.stderr
    (found,) = json.loads(finished.stdout)["submissions"]
    assert (found["points"], found["of"], found["exercises"][0]["verdict"]) == (0, 5, "build-error")
    assert "was run" not in finished.stdout + finished.stderr
