# SPDX-License-Identifier: MIT
"""The course as a student gets it: skeletons for solutions, no hidden checks, no wrong answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from kmodlab.course.cells import fill
from kmodlab.course.exercise import Exercise, find_exercises
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.resources import checkout, resource

__all__ = ["release", "write_course"]

_STAMP = "RELEASED"
_STUDENTS_FILES = ("Kbuild", "README.md", "lab.toml", "checks.py")
# What a checkout has beside the course, so that the copy works by itself; its tests are the instructor's.
_PROJECT = ("lab", "pyproject.toml", "kmodlab", "vm", "LICENSES", "README.md", "CHANGELOG.md")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "*.pyc", "*.o", "*.ko", "*.mod*", "resources")


def release(folder: Path, *, say: Callable[[str], object] = lambda words: None) -> tuple[Exercise, ...]:
    """Write the student's copy of the course into a new folder, and return the exercises in it.

    Args:
        folder: made if it is not there; an earlier release in it is replaced.
        say: called with a line for what was written.

    Raises:
        UsageError: the folder holds something else, or this is a student's copy itself.
        HostSetupError: it cannot be written.
    """
    lab_modules = resource("lab_modules")
    exercises = find_exercises(lab_modules)
    if not all(one.complete for one in exercises):
        raise UsageError("release: this is a student's copy of the course, which holds no solutions to take out")
    try:
        _make_room(folder, lab_modules.parent)
        (folder / _STAMP).write_text("A student's copy of the course, written by kmodlab release.\n")
        _copy_project(lab_modules.parent, folder)
        write_course(folder, exercises, nbgrader=True)
    except OSError as error:
        raise HostSetupError(f"write {folder}: {error}; give a folder that you may write to") from error
    for one in exercises:
        say(f"{one.lesson} {one.id}: {one.title}")
    return exercises


def write_course(folder: Path, exercises: tuple[Exercise, ...], *, nbgrader: bool = False) -> None:
    """Write modules and notebooks into a folder that has none, with skeletons instead of solutions.

    Args:
        folder: made if it is not there.
        exercises: all of the course.
        nbgrader: mark the cells of exercises for nbgrader.
    """
    _copy_modules(resource("lab_modules"), folder / "lab_modules", exercises)
    _copy_notebooks(resource("notebooks"), folder / "notebooks", exercises, nbgrader)


def _make_room(folder: Path, top: Path) -> None:
    if folder.resolve() == top.resolve() or top.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"release {folder}: that is where the course itself lies; give a new folder")
    if folder.is_dir() and (folder / _STAMP).is_file():
        shutil.rmtree(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"release {folder}: something else lies there; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)


def _copy_project(top: Path, folder: Path) -> None:
    if checkout() is None:
        return  # an installed kmodlab: only the course is written
    for name in _PROJECT:
        if (top / name).is_dir():
            shutil.copytree(top / name, folder / name, ignore=_NOT_COPIED)
        elif (top / name).is_file():
            shutil.copy2(top / name, folder / name)


def _copy_modules(source: Path, target: Path, exercises: tuple[Exercise, ...]) -> None:
    by_folder = {one.folder.name: one for one in exercises}
    for place in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))):
        exercise = by_folder.get(place.name)
        if exercise is None:
            shutil.copytree(place, target / place.name, ignore=_NOT_COPIED)
            continue
        (target / place.name).mkdir(parents=True)
        (target / place.name / f"{exercise.module}.c").write_text(exercise.skeleton)
        for name in _STUDENTS_FILES:
            if (place / name).is_file():
                shutil.copyfile(place / name, target / place.name / name)


def _copy_notebooks(source: Path, target: Path, exercises: tuple[Exercise, ...], nbgrader: bool) -> None:
    for path in sorted(source.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        made = fill(json.loads(path.read_text()), exercises, nbgrader=nbgrader)
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    beside = {".md", ".toml", ".png", ".svg", ".lock"}
    for path in sorted(path for path in source.rglob("*") if path.is_file() and path.suffix in beside):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
