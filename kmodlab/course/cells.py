# SPDX-License-Identifier: MIT
"""The C cells of a notebook, as text: found in what students hand in, filled in what they get."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kmodlab.course.checks import load_checks
from kmodlab.course.exercise import Exercise

__all__ = ["CCell", "c_cells", "fill"]

_MAGIC = re.compile(r"\s*%%kmod[ \t]+(?P<rest>[^\n]*)(?:\n|\Z)")
_CHECK = re.compile(r"^\s*check\(\s*[\"'](?P<id>[\w.-]+)[\"']\s*\)", re.MULTILINE)
_PYTHON_SOLUTION = re.compile(
    r"^(?P<indent>[ \t]*)### BEGIN SOLUTION\b.*?^[ \t]*### END SOLUTION[^\n]*$", re.MULTILINE | re.DOTALL
)
_SCHEMA = 3  # of nbgrader's metadata, since its version 0.6


@dataclass(frozen=True, slots=True)
class CCell:
    """A cell that begins with ``%%kmod NAME``.

    Attributes:
        module: its NAME.
        text: the C below.
        grade_id: what nbgrader's metadata call it, or empty.
        place: which cell it is, for people: ``cell 7``.
    """

    module: str
    text: str
    grade_id: str
    place: str


def c_cells(notebook: Mapping[str, Any]) -> list[CCell]:
    """Return the C cells of a notebook's JSON, of whatever shape; what is no cell is passed over."""
    found = []
    cells = notebook.get("cells")
    for number, cell in enumerate(cells if isinstance(cells, list) else [], start=1):
        if not isinstance(cell, Mapping) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source")
        text = "".join(map(str, source)) if isinstance(source, list) else str(source or "")
        magic = _MAGIC.match(text)
        words = magic["rest"].split() if magic else []
        names = [word for word in words if not word.startswith("-") and "=" not in word]
        if magic and names:
            found.append(CCell(names[0], text[magic.end() :], _grade_id(cell), f"cell {number}"))
    return found


def _grade_id(cell: Mapping[str, Any]) -> str:
    metadata = cell.get("metadata")
    ours = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    name = ours.get("grade_id") if isinstance(ours, Mapping) else None
    return name if isinstance(name, str) else ""


def fill(
    notebook: Mapping[str, Any],
    exercises: Iterable[Exercise],
    *,
    solved: bool = False,
    nbgrader: bool = False,
    keep_python: bool = False,
) -> dict[str, Any]:
    """Return a copy of a notebook whose exercises' cells hold the skeletons, or the solutions.

    Python between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` is cut out of the copy that is not solved, unless
    `keep_python`.

    Args:
        notebook: its JSON.
        exercises: of the course; a cell ``%%kmod NAME`` belongs to the one whose module has that name.
        solved: put the solutions in.
        nbgrader: mark the cells for nbgrader: answers as its solution cells, checks as its graded ones.
        keep_python: leave solutions in Python where they are.
    """
    made: dict[str, Any] = copy.deepcopy(dict(notebook))
    by_module = {one.module: one for one in exercises}
    by_id = {one.id: one for one in by_module.values()}
    for cell in made.get("cells", []):
        if cell.get("cell_type") != "code":
            continue
        source = cell["source"]
        text = "".join(source) if isinstance(source, list) else source
        magic, asked = _MAGIC.match(text), _CHECK.search(text)
        name = magic["rest"].split(" ")[0] if magic else ""
        if magic and name in by_module:
            one = by_module[name]
            answer = one.solution if solved else one.skeleton
            cell["source"] = text[: magic.end()].rstrip("\n") + "\n" + answer.rstrip("\n")
            marks = _marks(one.id, solution=True)
        elif asked and asked["id"] in by_id:
            one = by_id[asked["id"]]
            points = sum(check.points for check in load_checks(one.folder).checks if not check.hidden)
            marks = _marks(f"{one.id}-check", grade=True, locked=True) | {"points": points}
        else:
            if not solved and not keep_python:
                cell["source"] = _PYTHON_SOLUTION.sub(lambda cut: f"{cut['indent']}...  # TODO: your code", text)
            continue
        if nbgrader:
            cell.setdefault("metadata", {})["nbgrader"] = marks
    return made


def _marks(grade_id: str, *, grade: bool = False, solution: bool = False, locked: bool = False) -> dict[str, Any]:
    kinds = {"grade": grade, "solution": solution, "locked": locked, "task": False}
    return {"schema_version": _SCHEMA, "grade_id": grade_id, "cell_type": "code", **kinds}
