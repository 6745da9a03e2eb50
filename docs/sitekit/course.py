# SPDX-License-Identifier: MIT
"""What the site says of the course, read off the course: its lessons, its exercises, its modules."""

from __future__ import annotations

import inspect
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from kmodlab.cli import Verbs
from kmodlab.course.exercise import find_exercises
from kmodlab.course.lessons import find_lessons
from kmodlab.jupyter.verbs import ALL

__all__ = ["course_text", "exercises_table", "magics_text", "module_pages", "modules_text", "verbs_text"]


def course_text() -> str:
    """Return the page that lists the lessons, each with what it shows and its exercises."""
    titles = {exercise.id: exercise for exercise in find_exercises()}
    lines = ["# The course\n"]
    lines.append(
        "Each lesson is a notebook to run, change and break. What stands below the cells here came out of real "
        'machines when this site was made. Exercises check themselves: `check("NAME")` tries your module in a '
        "fresh machine.\n"
    )
    for lesson in find_lessons():
        lines.append(f"## {lesson.number} · [{lesson.title}](lessons/{lesson.notebook.name})\n")
        lines.append(f"{lesson.proves}\n")
        for name in lesson.exercises:
            lines.append(f"- {titles[name].title}: {titles[name].concept} ({titles[name].points} points)")
        lines.append("")
    lines.append("```{toctree}\n:hidden:\n")
    lines += [f"{lesson.number} {lesson.title} <lessons/{lesson.notebook.stem}>" for lesson in find_lessons()]
    lines.append("```\n")
    return "\n".join(lines)


def exercises_table() -> str:
    """Return the table of all exercises, with the sum of their points."""
    exercises = find_exercises()
    rows = [
        f"| {exercise.lesson} | `{exercise.id}` | {exercise.title} | {exercise.concept} | {exercise.points} |"
        for exercise in sorted(exercises, key=lambda one: (one.lesson, one.id))
    ]
    head = "| lesson | exercise | title | what it is about | points |\n|---|---|---|---|--:|\n"
    total = sum(exercise.points for exercise in exercises)
    return f"{head}" + "\n".join(rows) + f"\n| | | | **all** | **{total}** |\n"


def magics_text() -> str:
    """Return a section for each magic: what it does, and what it takes."""
    os.environ["COLUMNS"] = "80"  # which argparse fills
    parts = []
    for options in ALL.values():
        about = re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"`\1`", " ".join(options.about.split()))
        takes = options.format_help().partition(options.about)
        parts.append(f"### {options.verb}\n\n{about}\n\n```text\n{takes[0].strip()}\n\n{takes[2].strip()}\n```\n")
    return "\n".join(parts)


def verbs_text() -> str:
    """Return what sphinx-click is to show: each verb of the command line."""
    verbs = Verbs()
    shown = []
    for name in verbs.list_commands(click.Context(verbs)):
        place = verbs.get_command(click.Context(verbs), name)
        module = inspect.getmodule(place.callback) if place and place.callback else None
        assert module is not None
        shown.append(f".. click:: {module.__name__}:command\n   :prog: kmodlab {name}\n")
    return "```{eval-rst}\n" + "\n".join(shown) + "```\n"


def module_pages(modules: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each module that is no exercise, with its page: what it is, and its source."""
    for folder in sorted(path.parent for path in modules.glob("*/lab.toml")):
        if "exercise" in tomllib.loads((folder / "lab.toml").read_text()):
            continue
        text = (folder / "README.md").read_text()
        listings = [
            f"### {file.name}\n\n```c\n{file.read_text().rstrip()}\n```\n"
            for file in sorted([*folder.glob("*.c"), *folder.glob("*.h")])
        ]
        yield folder.name, text.rstrip() + "\n\n## Its source\n\n" + "\n".join(listings)


def modules_text(modules: Path) -> str:
    """Return the page that lists the modules which the lessons use."""
    names = [name for name, _ in module_pages(modules)]
    rows = []
    for name in names:
        said = tomllib.loads((modules / name / "lab.toml").read_text())
        rows.append(f"| [{name}](modules/{name}.md) | {said['kind']} | {said['summary']} |")
    return (
        "# Modules to read\n\nThe modules that the lessons load, to read and to change. Their sources lie in "
        "`lab_modules`; `./lab try lab_modules/hello` builds one and tries it.\n\n"
        "| module | kind | what it is |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n```{toctree}\n:hidden:\n\n"
        + "\n".join(f"modules/{name}" for name in names)
        + "\n```\n"
    )
