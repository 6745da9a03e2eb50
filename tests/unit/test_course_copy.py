# SPDX-License-Identifier: MIT
"""A learner's own copy of the course: whatever becomes of either, nothing that the learner wrote is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.course import copy
from kmodlab.course.copy import update_copy
from kmodlab.course.merge import merge
from kmodlab.errors import UsageError
from kmodlab.resources import checkout, resource


def notebook(*cells: tuple[str, str]) -> dict[str, Any]:
    """A notebook's JSON of cells, each an id and a source."""
    made = [{"cell_type": "code", "id": name, "source": text, "metadata": {}, "outputs": []} for name, text in cells]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}


def content(made: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cell["id"], cell["source"]) for cell in made["cells"]]


# -- Notebooks --------------------------------------------------------------------------------------------------------


def test_each_side_gives_what_it_alone_has_changed() -> None:
    given = notebook(("a", "1"), ("b", "2"), ("c", "3"))
    mine = notebook(("a", "1"), ("b", "my 2"), ("own", "mine"), ("c", "3"))
    newer = notebook(("a", "new 1"), ("b", "2"), ("c", "3"), ("d", "4"))
    merged = merge(given, mine, newer)
    assert content(merged.notebook) == [("a", "new 1"), ("b", "my 2"), ("own", "mine"), ("c", "3"), ("d", "4")]
    assert merged.both == ()


def test_what_both_have_changed_is_there_twice() -> None:
    merged = merge(notebook(("a", "1")), notebook(("a", "my 1"), ("own", "x")), notebook(("a", "new 1")))
    assert content(merged.notebook) == [("a", "my 1"), ("own", "x"), ("a-new", "new 1")]
    assert merged.both == ("a",)


def test_a_second_newer_course_does_not_hide_behind_the_first() -> None:
    once = merge(notebook(("a", "1")), notebook(("a", "my 1")), notebook(("a", "2"))).notebook
    again = merge(notebook(("a", "2")), once, notebook(("a", "3")))
    assert content(again.notebook) == [("a", "my 1"), ("a-new", "2"), ("a-new-new", "3")]


def test_what_the_learner_deleted_stays_away_and_what_they_kept_of_the_old_course_stays() -> None:
    given = notebook(("a", "1"), ("b", "2"), ("c", "3"))
    merged = merge(given, notebook(("b", "my 2"), ("c", "3")), notebook(("a", "new 1")))
    assert content(merged.notebook) == [("b", "my 2")]


def test_outputs_stay_with_a_source_that_stays() -> None:
    mine = notebook(("a", "1"), ("b", "2"))
    for cell in mine["cells"]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "seen"}]
    merged = merge(notebook(("a", "1"), ("b", "2")), mine, notebook(("a", "1"), ("b", "new 2")))
    assert [bool(cell["outputs"]) for cell in merged.notebook["cells"]] == [True, False]


@st.composite
def notebooks(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True))
    return notebook(*((name, draw(st.sampled_from(["1", "2", "3"]))) for name in names))


@given(notebooks(), notebooks(), notebooks())
def test_nothing_is_lost_and_once_is_enough(given: dict[str, Any], mine: dict[str, Any], newer: dict[str, Any]) -> None:
    merged = merge(given, mine, newer).notebook
    there = content(merged)
    names = [name for name, _ in there]
    assert len(names) == len(set(names))
    assert set(content(mine)) - set(content(given)) <= set(there)
    deleted = {name for name, _ in content(given)} - {name for name, _ in content(mine)}
    for name, text in set(content(newer)) - set(content(given)):
        assert name in deleted or any(one.startswith(name) and text == held for one, held in there)
    assert content(merge(given, merged, newer).notebook) == there, "an update that was interrupted, done again"
    assert content(merge(newer, merged, newer).notebook) == there, "an update that brings nothing"


@given(notebooks(), notebooks())
def test_who_changes_nothing_gets_the_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert content(merge(one, one, other).notebook) == content(other)
    assert sorted(content(merge(one, other, one).notebook)) == sorted(content(other))


# -- The copy ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A course of two files that can change, in the place of the real one."""
    folder = tmp_path / "course"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / "one.ipynb").write_text(json.dumps(notebook(("a", "1"), ("b", "2"))))
    (folder / "notebooks" / "two.md").write_text("two\n")
    monkeypatch.setattr(copy, "write_course", lambda place, exercises: shutil.copytree(folder, place))
    yield folder


def became(folder: Path) -> dict[str, str]:
    return {change.path: change.what for change in update_copy(folder)}


def test_an_update_takes_what_is_new_and_keeps_what_is_the_learners(course: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    assert set(became(mine).values()) == {"new"}
    assert became(mine) == {}
    (mine / "notebooks" / "one.ipynb").write_text(json.dumps(notebook(("a", "1"), ("b", "my 2"))))
    (mine / "notebooks" / "two.md").write_text("my two\n")
    (mine / "notes.txt").write_text("mine\n")
    (course / "notebooks" / "one.ipynb").write_text(json.dumps(notebook(("a", "new 1"), ("b", "2"))))
    (course / "notebooks" / "two.md").write_text("newer two\n")
    (course / "notebooks" / "three.md").write_text("three\n")
    assert became(mine) == {
        "notebooks/one.ipynb": "merged",
        "notebooks/three.md": "new",
        "notebooks/two.md": "kept both",
    }
    assert content(json.loads((mine / "notebooks" / "one.ipynb").read_text())) == [("a", "new 1"), ("b", "my 2")]
    assert (mine / "notebooks" / "two.md").read_text() == "my two\n"
    assert (mine / "notebooks" / "two.new.md").read_text() == "newer two\n"
    assert (mine / "notes.txt").read_text() == "mine\n"
    assert became(mine) == {}


def test_an_update_that_was_interrupted_is_taken_up(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    update_copy(mine)
    (mine / "notebooks" / "two.md").write_text("my two\n")
    (course / "notebooks" / "two.md").write_text("newer two\n")

    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    for step in ("_given_up", "_write"):
        with monkeypatch.context() as patch, pytest.raises(Interrupted):
            patch.setattr(copy, step, interrupt)
            update_copy(mine)
    # And between the two renamings that make the newer course the given one.
    (mine / ".kmodlab" / "given").rename(mine / ".kmodlab" / "older")
    assert became(mine) == {"notebooks/two.md": "kept both"}
    assert [path.name for path in sorted((mine / "notebooks").iterdir())] == ["one.ipynb", "two.md", "two.new.md"]
    assert [path.name for path in (mine / ".kmodlab").iterdir()] == ["given"]


def test_a_notebook_that_is_none_any_more_is_kept_beside_the_newer_one(course: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    update_copy(mine)
    (mine / "notebooks" / "one.ipynb").write_text("{damaged")
    (course / "notebooks" / "one.ipynb").write_text(json.dumps(notebook(("a", "new 1"))))
    assert became(mine) == {"notebooks/one.ipynb": "kept both"}
    assert (mine / "notebooks" / "one.ipynb").read_text() == "{damaged"
    assert content(json.loads((mine / "notebooks" / "one.new.ipynb").read_text())) == [("a", "new 1")]


def test_what_was_deleted_stays_away_and_what_the_course_gave_up_is_left(course: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    update_copy(mine)
    (mine / "notebooks" / "two.md").unlink()
    (course / "notebooks" / "two.md").write_text("newer two\n")
    (course / "notebooks" / "one.ipynb").unlink()
    assert became(mine) == {"notebooks/one.ipynb": "left to you"}
    assert [path.name for path in (mine / "notebooks").iterdir()] == ["one.ipynb"]


def test_a_folder_with_something_else_is_refused(course: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    with pytest.raises(UsageError, match="something else lies there"):
        update_copy(tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    if top := checkout():
        with pytest.raises(UsageError, match="where kmodlab itself does"):
            update_copy(top / "notebooks" / "mine")


def test_the_real_course(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    update_copy(mine)
    given = {path.name for path in resource("notebooks").glob("*.ipynb")}
    assert {path.name for path in (mine / "notebooks").glob("*.ipynb")} == given
    for path in (mine / "notebooks").glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))
    assert not list(mine.rglob("hidden.py")) and not list(mine.rglob("wrong.toml"))
    assert not any("BEGIN SOLUTION" in path.read_text() for path in mine.rglob("*.c"))
    assert became(mine) == {}
