# SPDX-License-Identifier: MIT
"""What every notebook of the course must be like before it is run: how it is kept, and how long its cells are."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from kmodlab.course.cells import fill
from kmodlab.course.execute import find_notebooks
from kmodlab.course.exercise import find_exercises
from kmodlab.resources import resource

NOTEBOOKS = find_notebooks([resource("notebooks")])
EXERCISES = {one.id: one for one in find_exercises(resource("lab_modules"))}
MOST_CELLS = 25
MOST_PYTHON_LINES = 7
MOST_C_LINES = 30

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook as it is kept, without a conversion to another version of the format."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def exercise_of(cell: nbformat.NotebookNode) -> str:
    """The exercise that a cell holds the skeleton of, or that it checks; empty for any other cell."""
    found = re.match(r"%%kmod (\w+)|check\(\"([\w-]+)\"\)", cell.source)
    names = [name for name in found.groups() if name] if found else []
    return names[0] if names and names[0] in EXERCISES else ""


def headings(path: Path) -> list[tuple[int, str]]:
    """The headings of the text cells, each with its level."""
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) +(.+)$", text, re.MULTILINE)]


def test_format_is_valid_and_of_version_4_5(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_no_outputs_are_kept(path: Path) -> None:
    assert [cell.id for cell in code(path) if cell.outputs or cell.execution_count is not None] == []
    assert [cell.id for cell in read(path).cells if cell.metadata] == []


def test_cells_have_names(path: Path) -> None:
    names = [cell.id for cell in read(path).cells]
    assert len(set(names)) == len(names)
    # Eight hexadecimal digits are what an editor makes up: another one each time the cell is written anew.
    assert [name for name in names if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", name)] == []


def test_first_code_cell_imports_kmodlab(path: Path) -> None:
    assert "import kmodlab" in code(path)[0].source.splitlines()


def test_cells_are_few_and_short(path: Path) -> None:
    cells = [cell for cell in code(path) if not exercise_of(cell)]
    assert len(cells) <= MOST_CELLS
    for cell in cells:
        lines = cell.source.splitlines()
        most = (
            MOST_C_LINES + 1
            if lines[0].startswith(("%%kmod", "%%program"))
            else MOST_PYTHON_LINES + lines[0].startswith("%%")
        )
        assert len(lines) <= most, cell.id
        assert max(map(len, lines)) <= 100, f"{cell.id}: the line would be cut off on a page"


def test_exercises_hold_their_skeletons_and_are_checked(path: Path) -> None:
    """What `.ci/fill` writes; the lesson's exercises are here, each with a check below it."""
    lesson = [one.id for one in EXERCISES.values() if path.name.startswith(f"{one.lesson}_")]
    cells = [name for cell in code(path) if (name := exercise_of(cell))]
    assert sorted(cells) == sorted(lesson * 2)
    assert cells[::2] == cells[1::2]
    notebook = json.loads(path.read_text())
    filled = fill(notebook, EXERCISES.values(), keep_python=True)
    assert ["".join(cell["source"]) for cell in filled["cells"]] == [
        "".join(cell["source"]) for cell in notebook["cells"]
    ]


def test_at_most_one_assertion_a_cell(path: Path) -> None:
    assert [cell.id for cell in code(path) if len(re.findall(r"^\s*assert\b", cell.source, re.MULTILINE)) > 1] == []


def test_headings_are_in_order(path: Path) -> None:
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(set(headings(path))) == len(levels)


def test_a_text_comes_first(path: Path) -> None:
    assert read(path).cells[0].cell_type == "markdown"
    assert any("**Predict" in cell.source for cell in read(path).cells)


def test_links_between_notebooks_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells)
    assert [name for name in re.findall(r"[\w/]+\.ipynb", text) if not (path.parent / name).exists()] == []


def test_c_keeps_the_kernels_own_shape(path: Path) -> None:
    for cell in code(path):
        if cell.source.startswith("%%kmod") and "--expect-error" not in cell.source.splitlines()[0]:
            assert not re.search(r"^ +[^\s*]", cell.source, re.MULTILINE), f"{cell.id}: indent with tabs"
            assert "MODULE_LICENSE(" in cell.source
            assert "MODULE_DESCRIPTION(" in cell.source
