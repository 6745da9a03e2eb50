# SPDX-License-Identifier: MIT
"""What students hand in: the text of their C, out of notebooks and files of whatever state; none of it is run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmodlab.course.cells import c_cells
from kmodlab.course.exercise import Exercise
from kmodlab.errors import UsageError

__all__ = ["Answer", "Submission", "find_submissions", "read_submission"]

_LARGEST = 8 << 20  # bytes of a file
_MOST = 2000  # files of a submission
_PASSED_OVER = {".ipynb_checkpoints", "__pycache__", "node_modules", "wrong"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A student's C for one exercise.

    Attributes:
        text: the C.
        place: file, and cell where it is a notebook.
    """

    text: str
    place: str


@dataclass(slots=True)
class Submission:
    """What one student handed in.

    Attributes:
        path: of the folder or notebook, as given.
        answers: by the id of the exercise; several if several were found.
        notes: what could not be read, in sentences.
    """

    path: Path
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def expected(self, exercises: Sequence[Exercise]) -> list[Exercise]:
        """Return the exercises that should be in it: those of the lessons of which it has any, or else all."""
        lessons = {one.lesson for one in exercises if one.id in self.answers}
        return [one for one in exercises if one.lesson in lessons] or list(exercises)


def find_submissions(paths: Iterable[Path], exercises: Sequence[Exercise]) -> list[Path]:
    """Return the submissions at paths: a notebook is one, a folder is one or holds them.

    A folder is one if it is shaped like the course (``lab_modules``, ``notebooks``) or holds an exercise's C file;
    else each folder and each notebook in it is one.

    Raises:
        UsageError: there is none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file() and path.suffix == ".ipynb":
            found[path] = None
        elif path.is_dir():
            found.update(dict.fromkeys([path] if _is_one(path, exercises) else _inside(path)))
        else:
            raise UsageError(f"grade {path}: neither a notebook nor a folder; give what was handed in")
    if not found:
        raise UsageError("grade: nothing was handed in there; give notebooks, or a folder with one folder a student")
    return list(found)


def _is_one(path: Path, exercises: Sequence[Exercise]) -> bool:
    shapes = {"lab_modules", "notebooks", *(f"{one.module}.c" for one in exercises)}
    modules = {one.folder.name for one in exercises}
    return any(
        child.name in shapes or (child.name in modules and (child / f"{child.name}.c").exists())
        for child in path.iterdir()
    )


def _inside(path: Path) -> list[Path]:
    children = sorted(child for child in path.iterdir() if not child.name.startswith(".") and not child.is_symlink())
    return [child for child in children if child.is_dir() or child.suffix == ".ipynb"]


def read_submission(path: Path, exercises: Sequence[Exercise]) -> Submission:
    """Return the answers in a notebook or folder. Whatever lies there, this returns."""
    found = Submission(path)
    by_name = {name: one.id for one in exercises for name in (one.module, one.id)}
    files = [path] if path.is_file() else list(_files(path, found))
    for file in (file for file in files if file.suffix != ".c" or file.stem in by_name):
        shown = file.name if file == path else str(file.relative_to(path))
        text = _text(file, shown, found)
        if text is None:
            continue
        if file.suffix == ".c":
            found.answers.setdefault(by_name[file.stem], []).append(Answer(text, shown))
        else:
            _read_notebook(text, shown, by_name, found)
    return found


def _files(path: Path, found: Submission) -> Iterator[Path]:
    """The notebooks and C files of a submission; no links are followed, since they may lead anywhere."""
    count = 0
    for base, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER and not name.startswith("."))
        for name in sorted(names):
            file = Path(base, name)
            if file.suffix not in {".c", ".ipynb"} or name.endswith(".mod.c"):
                continue
            count += 1
            if count > _MOST:
                found.notes.append(f"more than {_MOST} files: the rest was not looked at")
                return
            yield file


def _text(file: Path, shown: str, found: Submission) -> str | None:
    """The text of a file that may be read as such; else a note is made."""
    try:
        if file.is_symlink() or not file.is_file():
            found.notes.append(f"{shown}: a link or no regular file, which is not read")
        elif file.stat().st_size > _LARGEST:
            found.notes.append(f"{shown}: larger than {_LARGEST >> 20} MiB, which is not read")
        else:
            return file.read_text()
    except UnicodeDecodeError:
        found.notes.append(f"{shown}: damaged, it is no UTF-8 text")
    except OSError as error:
        found.notes.append(f"{shown}: it cannot be read: {error.strerror}")
    return None


def _read_notebook(text: str, shown: str, by_name: dict[str, str], found: Submission) -> None:
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        found.notes.append(f"{shown}: damaged, it is no notebook (not JSON)")
        return
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        found.notes.append(f"{shown}: damaged, it has no cells")
        return
    for cell in c_cells(notebook):
        name = by_name.get(cell.grade_id) or by_name.get(cell.module)
        if name:
            found.answers.setdefault(name, []).append(Answer(cell.text, f"{shown}, {cell.place}"))
