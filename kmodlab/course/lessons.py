# SPDX-License-Identifier: MIT
"""The lessons of the course: its notebooks in reading order, as ``notebooks/course.toml`` lists them."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from kmodlab.course.exercise import course_folder
from kmodlab.errors import UsageError

__all__ = ["Lesson", "find_lessons"]

_CHECK = re.compile(r"^check\(\s*[\"']([\w.-]+)[\"']\s*\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson.

    Attributes:
        number: as in the notebook's name and in the exercises' ``lesson``, such as ``04``.
        title: the notebook's first heading.
        proves: what is seen to be true in it, in a sentence.
        notebook: its file.
        exercises: the ids of those that are checked in it, in its order.
    """

    number: str
    title: str
    proves: str
    notebook: Path
    exercises: tuple[str, ...] = ()


def find_lessons(folder: Path | None = None) -> tuple[Lesson, ...]:
    """Return the lessons whose notebooks are there, in reading order.

    Args:
        folder: with the notebooks; that beside `course_folder` if None.

    Raises:
        UsageError: the list or a notebook is damaged.
    """
    place = folder or course_folder().parent / "notebooks"
    try:
        listed = tomllib.loads((place / "course.toml").read_text())["lesson"]
        rows = [(place / str(one["notebook"]), str(one["proves"])) for one in listed]
        return tuple(_lesson(path, proves) for path, proves in rows if path.is_file())
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        words = f"{type(error).__name__}: {error}"
        raise UsageError(f"read the lessons of {place}: {words}; course.toml lists the notebooks") from None


def _lesson(path: Path, proves: str) -> Lesson:
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    text = "\n".join(source for kind, source in cells if kind == "markdown")
    heading = re.search(r"^# +(.+)$", text, re.MULTILINE)
    asked = [found for kind, source in cells if kind == "code" for found in _CHECK.findall(source)]
    title = heading[1] if heading else path.stem
    return Lesson(path.name.partition("_")[0], title, proves, path, tuple(dict.fromkeys(asked)))
