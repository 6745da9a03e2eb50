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

import nbformat
import pytest

from kmodlab.build.cache import Store
from kmodlab.build.kernel import KernelBuild
from kmodlab.course.exercise import find_exercises
from kmodlab.course.grade import Grade, grade
from kmodlab.course.submissions import find_submissions, read_submission
from kmodlab.resources import resource

pytestmark = pytest.mark.machine

EXERCISES = [one for one in find_exercises(resource("lab_modules")) if one.id == "bounded"]
BOUNDED = EXERCISES[0]
INIT = 'pr_info("level is %d\\n", level);'
HANG = BOUNDED.solution.replace(INIT, "while (true)\n\t\tcpu_relax();")
CRASH = BOUNDED.solution.replace(INIT, "*(volatile int *)8L = 1;")
PANIC = BOUNDED.solution.replace(INIT, 'panic("gone");')
BROKEN = BOUNDED.solution.replace("return 0;", "return 0")


def hand_in(folder: Path, *answers: str) -> None:
    """A notebook with an answer a cell, and Python that must never run."""
    cells = ["raise SystemExit('the Python of a student was run')", *(f"%%kmod bounded\n{text}" for text in answers)]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    folder.mkdir(parents=True)
    (folder / "first.ipynb").write_text(nbformat.writes(made))


def graded(folder: Path, kernel: KernelBuild, store: Store, jobs: int = 2) -> dict[str, Grade]:
    found = [read_submission(path, EXERCISES) for path in find_submissions([folder], EXERCISES)]
    return {each.path.name: each for each in grade(found, EXERCISES, kernel, jobs=jobs, store=store)}


@pytest.mark.slow
def test_a_class_of_every_kind_gets_the_same_grades_twice(frozen: KernelBuild, tmp_path: Path) -> None:
    room = tmp_path / "class"
    for name, answers in {
        "right": [BOUNDED.solution],
        "begun": [BOUNDED.skeleton],
        "begun-too": [BOUNDED.skeleton],
        "wrong": [BOUNDED.wrong_answers[0].text],
        "copied": [BOUNDED.wrong_answers[0].text],
        "hangs": [HANG],
        "crashes": [CRASH],
        "panics": [PANIC],
        "broken": [BROKEN],
        "empty": ["/* nothing */\n"],
        "deleted": [],
        "twice": [BOUNDED.solution, BOUNDED.solution],
        "differs": [BOUNDED.solution, BOUNDED.skeleton],
    }.items():
        hand_in(room / name, *answers)
    (room / "damaged.ipynb").write_text('{"cells": [')
    first = graded(room, frozen, Store(tmp_path / "one"))
    points = {name: each.points for name, each in first.items()}
    assert points == {
        **dict.fromkeys(("right", "twice"), 5),
        **dict.fromkeys(("wrong", "copied"), 4),
        **dict.fromkeys(("begun", "begun-too", "hangs", "crashes", "panics", "broken", "empty"), 0),
        **dict.fromkeys(("deleted", "differs", "damaged.ipynb"), 0),
    }
    assert {each.of for each in first.values()} == {5}
    said = {name: each.exercises[0].checks[0].message for name, each in first.items()}
    assert "bounded_init() (bounded.c:" in said["hangs"]
    assert "NULL pointer dereference in bounded_init" in said["crashes"]
    assert "missing" in said["deleted"]
    assert "cell 2 and first.ipynb, cell 3" in said["differs"]
    assert "expected ';'" in said["broken"]
    notes = {name: " ".join(each.notes) for name, each in first.items()}
    assert "wrong" in notes["copied"]
    assert "graded once" in notes["twice"]
    assert "damaged" in notes["damaged.ipynb"]
    assert notes["begun"] == ""
    second = graded(room, frozen, Store(tmp_path / "two"), jobs=1)
    assert {name: each.points for name, each in second.items()} == points


def test_what_was_graded_is_not_examined_again(frozen: KernelBuild, tmp_path: Path) -> None:
    hand_in(tmp_path / "class" / "anna", BOUNDED.skeleton)
    store = Store(tmp_path / "grades")
    first = graded(tmp_path / "class", frozen, store)
    before = time.monotonic()
    again = graded(tmp_path / "class", frozen, store)
    assert time.monotonic() - before < 1
    assert again == first
    hand_in(tmp_path / "class" / "ben", BOUNDED.skeleton + "\n")
    assert len(graded(tmp_path / "class", frozen, store)) == 2


def test_interrupted_and_started_again_it_goes_on(frozen: KernelBuild, tmp_path: Path) -> None:
    for number in range(3):
        hand_in(tmp_path / "class" / str(number), f"{BOUNDED.skeleton}/* {number} */\n")
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
    trap = "raise SystemExit('the Python of a student was run')\n"
    for name in ("checks.py", "hidden.py"):
        (place / name).write_text(trap)
    (place / "lab.toml").write_text((BOUNDED.folder / "lab.toml").read_text())
    (place / "bounded.c").write_text("/* nothing */\n")
    argv = [sys.executable, "-P", "-m", "kmodlab", "grade", ".", "--exercise", "bounded", "--json"]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert finished.returncode == 1, finished.stderr
    (found,) = json.loads(finished.stdout)["submissions"]
    assert (found["points"], found["of"], found["exercises"][0]["verdict"]) == (0, 5, "build-error")
    assert "was run" not in finished.stdout + finished.stderr
