# SPDX-License-Identifier: MIT
"""The student's copy, the C cells of notebooks, and what is made of whatever students hand in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.course.cells import c_cells, fill
from kmodlab.course.exercise import find_exercises, read_exercise
from kmodlab.course.grade import Grade, grades_csv
from kmodlab.course.release import release
from kmodlab.course.results import CheckResult, ExerciseResult
from kmodlab.course.submissions import find_submissions, read_submission
from kmodlab.errors import UsageError
from kmodlab.resources import resource

EXERCISES = find_exercises(resource("lab_modules"))
BOUNDED = next(one for one in EXERCISES if one.id == "bounded")


def notebook(*sources: str) -> dict[str, Any]:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])
    return json.loads(nbformat.writes(made))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "students"
    release(folder)
    return folder


# -- Release ----------------------------------------------------------------------------------------------------------


def secrets() -> set[str]:
    """The lines that only solutions, wrong answers and hidden checks have, without those that others have by chance."""
    found: set[str] = set()
    texts = [text for one in EXERCISES for text in (one.skeleton, (one.folder / "checks.py").read_text())]
    given = {line.strip() for text in texts for line in text.splitlines()}
    for one in EXERCISES:
        mine = [one.solution, *(wrong.text for wrong in one.wrong_answers), (one.folder / "wrong.toml").read_text()]
        mine += [path.read_text() for path in one.folder.glob("hidden.py")]
        for text in mine:
            found |= {line.strip() for line in text.splitlines()} - given
    return {line for line in found if len(line) > 24 and ("(" in line or "=" in line)}


def test_no_line_of_a_solution_is_in_the_students_copy(copy: Path) -> None:
    lines = secrets()
    assert len(lines) > len(EXERCISES)
    for path in (path for path in copy.rglob("*") if path.is_file()):
        if path.relative_to(copy).parts[0] == "lab_modules" and not (path.parent / "checks.py").exists():
            continue  # a module that is shown as it is may use what an exercise asks for
        text = path.read_text(errors="replace")
        found = [line for line in lines if line in text]
        assert not found, f"{path}: {found}"


def test_there_are_hidden_checks_to_be_hidden() -> None:
    assert sum((one.folder / "hidden.py").is_file() for one in EXERCISES) >= 2
    assert any("serves_many_at_once" in line for line in secrets())


def test_nothing_of_the_instructors_is_in_the_students_copy(copy: Path) -> None:
    names = {path.name for path in copy.rglob("*")}
    assert not names & {"wrong.toml", "wrong", "hidden.py", "tests", "__pycache__", ".git"}
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix in {".c", ".ipynb", ".toml"}:
            assert "BEGIN SOLUTION" not in path.read_text()


@pytest.mark.checkout
def test_the_students_copy_works_by_itself(copy: Path) -> None:
    mine = find_exercises(copy / "lab_modules")
    assert [one.id for one in mine] == [one.id for one in EXERCISES]
    assert [one.skeleton for one in mine] == [one.skeleton for one in EXERCISES]
    assert not any(one.complete for one in mine)
    assert (copy / "lab").stat().st_mode & 0o111
    assert {path.name for path in (copy / "notebooks").glob("*.ipynb")} == {
        path.name for path in resource("notebooks").glob("*.ipynb")
    }


def test_an_earlier_release_is_replaced_and_nothing_else(copy: Path, tmp_path: Path) -> None:
    release(copy)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UsageError, match="something else"):
        release(tmp_path)
    assert (tmp_path / "mine.txt").exists()
    for place in (resource("lab_modules").parent, resource("lab_modules").parents[1]):
        with pytest.raises(UsageError, match="course itself"):
            release(place)


def test_hidden_checks_stay_with_the_instructor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.copytree(resource("lab_modules") / "bounded", tmp_path / "course" / "lab_modules" / "bounded")
    shutil.copytree(resource("notebooks"), tmp_path / "course" / "notebooks")
    (tmp_path / "course" / "lab_modules" / "bounded" / "hidden.py").write_text("SECRET = 1")
    monkeypatch.setattr("kmodlab.course.release.resource", lambda name: tmp_path / "course" / name)
    release(tmp_path / "out")
    assert "SECRET" not in "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())


# -- Cells ------------------------------------------------------------------------------------------------------------


def test_cells_get_skeletons_or_solutions_and_nbgraders_marks() -> None:
    raw = notebook(
        "import kmodlab",
        "%%kmod bounded --load level=3\nold",
        'check("bounded")',
        "x = 1\n### BEGIN SOLUTION\nx = 2\n### END SOLUTION\nx",
        "%%kmod hello\nint a;",
    )
    for solved, text in ((False, BOUNDED.skeleton), (True, BOUNDED.solution)):
        made = fill(raw, EXERCISES, solved=solved, nbgrader=True)
        nbformat.validate(nbformat.from_dict(made))
        cells = made["cells"]
        assert cells[1]["source"] == f"%%kmod bounded --load level=3\n{text}".rstrip()
        assert ("x = 2" in "".join(cells[3]["source"])) is solved
        assert "".join(cells[4]["source"]) == "%%kmod hello\nint a;"
    marks = [cell["metadata"].get("nbgrader", {}) for cell in made["cells"]]
    assert [sorted(key for key, value in one.items() if value is True) for one in marks] == [
        [],
        ["solution"],
        ["grade", "locked"],
        [],
        [],
    ]
    assert [one["grade_id"] for one in marks if one] == ["bounded", "bounded-check"]
    assert marks[2]["points"] == 5
    assert raw["cells"][1]["source"] == ["%%kmod bounded --load level=3\n", "old"]


def test_notebooks_of_the_course_hold_the_skeletons() -> None:
    for path in resource("notebooks").glob("*.ipynb"):
        raw = json.loads(path.read_text())
        for own, wanted in zip(c_cells(raw), c_cells(fill(raw, EXERCISES)), strict=True):
            assert own.text.rstrip("\n") == wanted.text.rstrip("\n"), f"{path.name}, {own.place}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["cells", "cell_type", "source", "metadata"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(["cells", "x"]), JSON))
def test_no_shape_of_a_notebook_is_too_odd(content: dict[str, Any]) -> None:
    assert c_cells(content) == []


# -- Submissions ------------------------------------------------------------------------------------------------------


def test_what_counts_as_a_submission(tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        (tmp_path / "class" / name / "deep").mkdir(parents=True)
        (tmp_path / "class" / name / "deep" / "a.ipynb").write_text(json.dumps(notebook("%%kmod bounded\nint a;")))
    (tmp_path / "class" / "cleo.ipynb").write_text("{}")
    (tmp_path / "class" / "list.txt").write_text("")
    found = find_submissions([tmp_path / "class"], EXERCISES)
    assert [path.name for path in found] == ["anna", "ben", "cleo.ipynb"]
    assert find_submissions([tmp_path / "class" / "anna"], EXERCISES) == [tmp_path / "class" / "anna" / "deep"]
    (tmp_path / "dora" / "lab_modules" / "bounded").mkdir(parents=True)
    (tmp_path / "dora" / "lab_modules" / "bounded" / "bounded.c").write_text("int a;")
    assert find_submissions([tmp_path / "dora"], EXERCISES) == [tmp_path / "dora"]
    assert read_submission(tmp_path / "dora", EXERCISES).answers["bounded"][0].text == "int a;"
    for bad in (tmp_path / "nosuch", tmp_path / "class" / "list.txt"):
        with pytest.raises(UsageError):
            find_submissions([bad], EXERCISES)


def test_whatever_was_handed_in_is_read_or_named(tmp_path: Path) -> None:
    (tmp_path / "good.ipynb").write_text(json.dumps(notebook("%%kmod bounded\nint a;", "%%kmod bounded -l\nint b;")))
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    (tmp_path / "list.ipynb").write_text("[1]")
    (tmp_path / "deep.ipynb").write_text("[" * 100_000)
    (tmp_path / "bytes.c").write_bytes(b"\xff\xfe")
    (tmp_path / "unwind.c").write_bytes(b"\xff\xfe")
    (tmp_path / "away.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.ipynb")
    found = read_submission(tmp_path, EXERCISES)
    assert [(one.text, one.place) for one in found.answers["bounded"]] == [
        ("int a;", "good.ipynb, cell 1"),
        ("int b;", "good.ipynb, cell 2"),
    ]
    named = {note.partition(":")[0] for note in found.notes}
    assert named == {"torn.ipynb", "list.ipynb", "deep.ipynb", "unwind.c", "away.ipynb", "pipe.ipynb"}
    assert {one.lesson for one in found.expected(EXERCISES)} == {"01"}


def test_a_cell_whose_first_line_was_changed_is_known_by_its_mark() -> None:
    made = fill(notebook("%%kmod bounded\nx"), EXERCISES, nbgrader=True)
    made["cells"][0]["source"] = "%%kmod mine\nint a;"
    (cell,) = c_cells(made)
    assert (cell.grade_id, cell.text) == ("bounded", "int a;")


def test_the_table_for_spreadsheets(tmp_path: Path) -> None:
    row = CheckResult("reads", True, "it reads", 2, 2)
    grades = [
        Grade(Path("=cmd()"), (ExerciseResult("bounded", "t", (row,)),), ()),
        Grade(Path("ben"), (ExerciseResult("unwind", "t", (row,), "lab-failed"),), ("a note, with a comma",)),
    ]
    assert grades_csv(grades).splitlines() == [
        "submission,points,of,bounded,unwind,notes",
        "'=cmd(),2,2,2,,",
        'ben,2,2,,,"a note, with a comma"',
    ]


def test_an_exercise_of_the_students_copy_is_read_as_such(copy: Path) -> None:
    with pytest.raises(UsageError):
        read_exercise(copy / "lab_modules" / "bounded").solution
