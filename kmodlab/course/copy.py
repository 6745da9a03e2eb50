# SPDX-License-Identifier: MIT
"""A learner's own copy of the course, and how it follows a newer one without losing a word of theirs.

The copy keeps, in a folder ``.kmodlab``, the course as it was given: what differs from it is the learner's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kmodlab.course.exercise import find_exercises
from kmodlab.course.merge import merge
from kmodlab.course.release import write_course
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.records.table import Column, Rows
from kmodlab.resources import checkout, resource

__all__ = ["Change", "is_copy", "update_copy"]

_OURS = ".kmodlab"
_GIVEN = Path(_OURS, "given")
_NO_CELLS: dict[str, Any] = {"cells": []}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a file.

    Attributes:
        path: of the file, within the copy.
        what: ``new``, ``updated``, ``kept yours``, ``merged``, ``kept both`` or ``left to you``.
        remark: where to look, if the learner should.
    """

    path: str
    what: str
    remark: str = ""

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("what"), Column("path", kind="code"), Column("remark"))


def is_copy(folder: Path) -> bool:
    """Return whether a folder is a learner's copy of the course."""
    return (folder / _GIVEN).is_dir()


def update_copy(folder: Path) -> Rows[Change]:
    """Make a learner's copy of the course, or bring one up to date; return what became of its files, if anything.

    A file that only the course has changed is replaced, one that only the learner has changed stays. Of a notebook
    that both have changed the cells are joined (`kmodlab.course.merge.merge`); of another file the course's version
    is put beside the learner's. What the learner has deleted stays away. It may be interrupted and done again.

    Raises:
        UsageError: something else lies in the folder.
        HostSetupError: it cannot be written.
    """
    _look_for_others(folder)
    newer, given = folder / _OURS / "newer", folder / _GIVEN
    try:
        _take_up(folder / _OURS)
        write_course(newer, find_exercises(resource("lab_modules")))
        changes = [change for path in _files(newer) if (change := _bring(folder, newer, path))]
        changes += [change for path in _files(given) if (change := _given_up(folder, newer, path))]
        # Only now, so that an interrupted update begins again where it was.
        if given.exists():
            given.rename(folder / _OURS / "older")
        newer.rename(given)
        _take_up(folder / _OURS)
    except OSError as error:
        raise HostSetupError(f"write {folder}: {error}; give a folder that you may write to") from error
    return Rows(changes, caption="What became of the files", columns=Change.COLUMNS)


def _take_up(ours: Path) -> None:
    """Make our own folder, or clear it of what an update left there that was interrupted."""
    ours.mkdir(parents=True, exist_ok=True)
    given, older = ours / "given", ours / "older"
    if older.exists() and not given.exists():
        older.rename(given)
    for left in (older, ours / "newer"):
        shutil.rmtree(left, ignore_errors=True)


def _look_for_others(folder: Path) -> None:
    top = checkout()
    if top and folder.resolve().is_relative_to(top):
        raise UsageError(f"init {folder}: that lies where kmodlab itself does; give a folder elsewhere")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _OURS).is_dir())):
        raise UsageError(f"init {folder}: something else lies there; give a new folder, or that of your copy")


def _files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _bring(folder: Path, newer: Path, path: Path) -> Change | None:
    """Bring one file of the newer course into the copy."""
    text, given, mine = (_read(base / path) for base in (newer, folder / _GIVEN, folder))
    assert text is not None
    if mine is None:
        if given is not None:
            return None  # the learner has deleted it
        _write(folder / path, text)
        return Change(str(path), "new")
    if mine == text or text == given:
        return None
    if mine == given:
        _write(folder / path, text)
        return Change(str(path), "updated")
    if path.suffix == ".ipynb":
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return _merge(folder / path, str(path), given, mine, text)
    beside = _put_beside(folder / path, text)
    return Change(str(path), "kept both", f"the course's version is {beside.name}, beside yours")


def _merge(place: Path, name: str, given: bytes | None, mine: bytes, newer: bytes) -> Change | None:
    before = json.loads(mine)
    merged = merge(json.loads(given) if given else _NO_CELLS, before, json.loads(newer))
    if merged.notebook["cells"] == before["cells"]:
        return Change(name, "kept yours")
    _write(place, (json.dumps(merged.notebook, indent=1, ensure_ascii=False) + "\n").encode())
    if merged.both:
        return Change(name, "kept both", f"the course's cells stand below yours: {', '.join(merged.both)}")
    return Change(name, "merged", "your cells are as they were")


def _put_beside(path: Path, text: bytes) -> Path:
    """Write the course's version beside the learner's, under a name that is free or holds just that."""
    number = 1
    while True:
        beside = path.with_name(f"{path.stem}.new{'' if number == 1 else number}{path.suffix}")
        if _read(beside) in (None, text):
            _write(beside, text)
            return beside
        number += 1


def _given_up(folder: Path, newer: Path, path: Path) -> Change | None:
    """Say what the course no longer has; the learner may have come to rely on it."""
    gone = not (newer / path).exists() and (folder / path).exists()
    return Change(str(path), "left to you", "no longer part of the course") if gone else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _write(path: Path, text: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        os.chmod(name, 0o644)  # noqa: PTH101
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        os.unlink(name)  # noqa: PTH108
        raise
