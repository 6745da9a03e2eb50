# SPDX-License-Identifier: MIT
"""Reading exercises: the two views of a source, the folder's parts, and what is said of a damaged one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.course.checks import load_checks
from kmodlab.course.exercise import Exercise, course_folder, find_exercise, find_exercises, read_exercise
from kmodlab.course.skeleton import has_solution, make_skeleton, make_solution
from kmodlab.errors import UsageError
from kmodlab.resources import resource

EXERCISES = find_exercises(resource("lab_modules"))
IDS = [one.id for one in EXERCISES]

SOURCE = (
    "int f(int a)\n"
    "{\n"
    "\t/*\n"
    "\t * BEGIN SOLUTION: refuse what is\n"
    "\t * negative\n"
    "\t */\n"
    "\tif (a < 0)\n"
    "\t\treturn -1;\n"
    "\t/* SKELETON: a = 0; */\n"
    "\t/* END SOLUTION */\n"
    "\treturn a;\n"
    "}\n"
    "/* BEGIN SOLUTION */\n"
    "int g;\n"
    "/* END SOLUTION */\n"
)


def test_the_skeleton_has_tasks_in_place_of_the_solution() -> None:
    assert make_skeleton(SOURCE) == (
        "int f(int a)\n{\n\t/*\n\t * TODO: refuse what is\n\t * negative\n\t */\n\ta = 0;\n"
        "\treturn a;\n}\n/* TODO: your code */\n"
    )


def test_the_solution_has_no_marks() -> None:
    assert make_solution(SOURCE) == "int f(int a)\n{\n\tif (a < 0)\n\t\treturn -1;\n\treturn a;\n}\nint g;\n"
    assert has_solution(SOURCE)
    assert not has_solution(make_solution(SOURCE))


@pytest.mark.parametrize(
    "text",
    [
        "/* BEGIN SOLUTION */\nint a;\n",
        "int a;\n/* END SOLUTION */\n",
        "/* BEGIN SOLUTION */\n/* BEGIN SOLUTION */\n/* END SOLUTION */\n/* END SOLUTION */\n",
        "/* SKELETON: int a; */\n",
        "int a; /* BEGIN SOLUTION */\n/* END SOLUTION */\n",
    ],
)
def test_a_mark_without_its_partner_is_refused(text: str) -> None:
    for view in (make_skeleton, make_solution):
        with pytest.raises(UsageError, match="has no partner"):
            view(text)


@given(st.text())
def test_a_text_without_marks_is_its_own_skeleton(text: str) -> None:
    if not has_solution(text):
        assert make_skeleton(text) == make_solution(text) == text


@pytest.mark.parametrize("exercise", EXERCISES, ids=IDS)
def test_an_exercise_is_whole(exercise: Exercise) -> None:
    one = find_exercise(exercise.id, EXERCISES)
    assert one.complete
    assert "TODO" in one.skeleton
    assert "TODO" not in one.solution
    assert (one.folder / "README.md").is_file()
    assert load_checks(one.folder).points == one.points
    assert len(one.wrong_answers) >= 3
    assert len({wrong.name for wrong in one.wrong_answers}) == len(one.wrong_answers)
    assert {wrong.hint for wrong in one.wrong_answers} <= set(load_checks(one.folder).hints)
    for wrong in one.wrong_answers:
        assert wrong.text not in {one.solution, one.skeleton}


@pytest.mark.parametrize("exercise", EXERCISES, ids=IDS)
def test_checks_tell_what_passes_and_not_how(exercise: Exercise) -> None:
    checks = load_checks(exercise.folder)
    assert len({one.passed for one in checks.checks}) == len(checks.checks)
    assert all(one.points >= 1 for one in checks.checks)


def test_an_unknown_exercise_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(UsageError, match=f"there are .*{IDS[0]}"):
        find_exercise("nosuch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(resource("lab_modules") / "bounded", tmp_path / "lab_modules" / "bounded")
    return tmp_path / "lab_modules" / "bounded"


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("lab.toml", "name = ", "must be TOML"),
        ("lab.toml", "name = 'bounded'", "needs id, title"),
        ("lab.toml", "[exercise]\nid = 'a'\ntitle = 'b'\nlesson = '01'\nconcept = 'c'\npoints = 0", "at least 1"),
        ("lab.toml", "name = 'x'\n[exercise]\nid = 'a'\ntitle = 'b'\nlesson = '01'\nconcept = 'c'\npoints = 1", "x.c"),
    ],
)
def test_a_damaged_exercise_is_refused(folder: Path, file: str, content: str, said: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(UsageError, match=said):
        read_exercise(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("HINTS = {}", "marks no function"),
        ("def", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("from kmodlab.course import check\n@check(points=0, passed='x')\ndef f(t): ...", "at least 1"),
        ("from kmodlab.course import check\nHINTS = {'a': 3}\n@check(points=1, passed='x')\ndef f(t): ...", "hint 'a'"),
    ],
)
def test_damaged_checks_are_refused(folder: Path, content: str, said: str) -> None:
    (folder / "checks.py").write_text(content)
    with pytest.raises(UsageError, match=said):
        load_checks(folder)


def test_an_edit_that_does_not_fit_is_refused(folder: Path) -> None:
    (folder / "wrong.toml").write_text("[[wrong]]\nname = 'w'\nhint = 'upper'\nedits = [['nosuch', 'x']]\n")
    with pytest.raises(UsageError, match="0 times"):
        read_exercise(folder).wrong_answers


def test_hidden_checks_are_marked(folder: Path) -> None:
    (folder / "hidden.py").write_text(
        "from kmodlab.course import check\n@check(points=3, passed='x')\ndef secret(trial): ...\n"
    )
    found = load_checks(folder)
    assert [one.name for one in found.checks if one.hidden] == ["secret"]


def test_what_checks_draw_at_random_can_be_drawn_again(folder: Path) -> None:
    content = (
        "import random\nfrom kmodlab.course import check\n"
        "@check(points=1, passed='{}')\ndef {}(trial):\n    trial.append(random.random())\n"
    )
    for file, name in (("checks.py", "seen"), ("hidden.py", "secret")):
        (folder / file).write_text(content.format(name, name))
    drawn: list[list[float]] = []
    for seed in ("a", "a", "b", None, None):
        checks = load_checks(folder)
        checks.chance.seed(seed)
        drawn.append([])
        for one in checks.checks:
            one.run(drawn[-1])  # type: ignore[arg-type]
    assert drawn[0] == drawn[1]
    assert len({tuple(each) for each in drawn}) == 4


def test_two_exercises_of_one_id_are_refused(folder: Path) -> None:
    shutil.copytree(folder, folder.parent / "other")
    with pytest.raises(UsageError, match="twice"):
        find_exercises(folder.parent)


def test_a_students_copy_is_found_from_within_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (folder / "bounded.c").read_text()
    (folder / "bounded.c").write_text(make_skeleton(text))
    inside = folder.parents[1] / "notebooks" / "deep"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert course_folder() == folder.parent
    (mine,) = find_exercises()
    assert mine.skeleton == mine.text
    with pytest.raises(UsageError, match="not part of this copy"):
        mine.solution
