# SPDX-License-Identifier: MIT
"""Three views of a notebook into one: what a learner was given, what they made of it, and a newer course."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Merged", "merge"]

Cell = dict[str, Any]
_NEWER = "-new"  # ends the id of a cell that stands beside the learner's own version of it


@dataclass(frozen=True, slots=True)
class Merged:
    """A learner's notebook, brought up to date.

    Attributes:
        notebook: its JSON; whatever the learner wrote is in it.
        both: ids of the cells that the learner and the course have both changed: the course's stands below the
            learner's, with ``-new`` at the end of its id.
    """

    notebook: dict[str, Any]
    both: tuple[str, ...] = ()


def merge(given: Mapping[str, Any], mine: Mapping[str, Any], newer: Mapping[str, Any]) -> Merged:
    """Return the learner's notebook with what the course has changed since.

    Cells are told apart by their ids. A cell that only one of the two has changed is taken from that one; one that
    both have changed is there twice; one that the learner has deleted stays away; one that the learner has added stays
    below the cell that it followed. Outputs stay with a cell as long as its source does.

    Args:
        given: the notebook's JSON as the learner once got it; without cells if that is not known.
        mine: as it is now.
        newer: as the course has it now.
    """
    was, own = _by_id(given), _by_id(mine)
    cells: list[Cell] = []
    both: list[str] = []
    for cell in newer["cells"]:
        name = cell["id"]
        cells += _choose(was.get(name), own.get(name), cell)
        if _both_changed(was.get(name), own.get(name), cell):
            both.append(name)
            cells += _beside(cell, own)
    _put_back(cells, mine["cells"], was)
    notebook = {**newer, "metadata": mine.get("metadata", {}), "cells": copy.deepcopy(cells)}
    return Merged(notebook, tuple(both))


def _by_id(notebook: Mapping[str, Any]) -> dict[str, Cell]:
    return {cell["id"]: cell for cell in notebook["cells"] if "id" in cell}


def _content(cell: Cell) -> tuple[str, str]:
    source = cell["source"]
    return cell["cell_type"], "".join(source) if isinstance(source, list) else source


def _choose(given: Cell | None, mine: Cell | None, newer: Cell) -> list[Cell]:
    """The one cell, or none, that stands where the newer course has this one."""
    if mine is None:
        return [newer] if given is None else []
    untouched = given is not None and _content(mine) == _content(given)
    return [newer] if untouched and _content(mine) != _content(newer) else [mine]


def _both_changed(given: Cell | None, mine: Cell | None, newer: Cell) -> bool:
    if mine is None or _content(mine) == _content(newer):
        return False
    return given is None or _content(given) not in (_content(mine), _content(newer))


def _beside(newer: Cell, own: Mapping[str, Cell]) -> list[Cell]:
    """The course's version under an id of its own, unless an earlier update has put it there."""
    name = newer["id"] + _NEWER
    while name in own and _content(own[name]) != _content(newer):
        name += _NEWER
    return [] if name in own else [{**newer, "id": name}]


def _put_back(cells: list[Cell], mine: list[Cell], was: Mapping[str, Cell]) -> None:
    """Put what the learner added, or changed in a cell that the course has given up, below what it followed."""
    there = {cell["id"] for cell in cells}
    place = 0
    for cell in mine:
        name = cell.get("id", "")
        if name in there:
            place = next(number for number, one in enumerate(cells) if one.get("id") == name) + 1
        elif name not in was or _content(cell) != _content(was[name]):
            cells.insert(place, cell)
            place += 1
