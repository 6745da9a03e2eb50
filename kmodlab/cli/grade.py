# SPDX-License-Identifier: MIT
"""``grade``: points for what students handed in."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kmodlab.cli.output import Output
from kmodlab.cli.stages import need_stages
from kmodlab.errors import HostSetupError
from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="DIR|NOTEBOOK...", type=click.Path(path_type=Path))
@click.option("--exercise", "wanted", multiple=True, metavar="ID", help="Grade only this exercise; may be repeated.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Answers at once; one for each processor otherwise.")
@click.option("--again", is_flag=True, help="Examine anew what was graded before.")
@click.option(
    "--executor", default="local", show_default=True, metavar="local|dask[=ADDRESS]",
    help="Who does the work: this computer, or the workers of a dask cluster (see ./lab worker).",
)  # fmt: skip
@click.option("--locked", is_flag=True, help="Fail where what is here differs from the course's kmodlab.lock.")
@click.option("--csv", "table", type=click.Path(path_type=Path, dir_okay=False), help="Write a table for spreadsheets.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(
    output: Output,
    paths: tuple[Path, ...],
    wanted: tuple[str, ...],
    jobs: int | None,
    again: bool,
    executor: str,
    locked: bool,
    table: Path | None,
    as_json: bool,
) -> int:
    """Grade notebooks and folders that students handed in.

    Only the text of their C is used; their Python is never run. The exit status is 1 if anybody lacks points.
    """
    from kmodlab.build.sandbox import choose_shut
    from kmodlab.course.executor import check_executor, open_executor
    from kmodlab.course.exercise import find_exercise, find_exercises
    from kmodlab.course.grade import grade, grades_csv
    from kmodlab.course.lock import hold
    from kmodlab.course.submissions import find_submissions, read_submission
    from kmodlab.host.kernels import ensure_kernel
    from kmodlab.resources import resource

    check_executor(executor)
    # Never those of the working folder: it may be a student's, with checks of the student's own.
    every = find_exercises(resource("lab_modules"))
    exercises = [find_exercise(name, every) for name in wanted] or list(every)
    found = find_submissions(paths, exercises)
    need_stages()
    hold([resource("notebooks")], insist=locked)
    choose_shut()  # what cannot be compiled in a sandbox is not graded at all
    submissions = [read_submission(path, exercises) for path in found]
    with open_executor(executor, jobs or os.cpu_count() or 1) as pool:
        grades = grade(submissions, exercises, ensure_kernel(), pool=pool, again=again, say=say)
    output.emit({"submissions": [each.to_dict() for each in grades]})
    if table:
        _write(table, grades_csv(grades))
    if not as_json:
        for each in grades:
            click.echo(f"{each.path}: {each.points} of {each.of}")
            for note in each.notes:
                click.echo(f"  {note}")
    if not all(each.graded for each in grades):
        return 3
    return 0 if all(each.points == each.of for each in grades) else 1


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise HostSetupError(f"write {path}: {error.strerror}; name a file that you may write") from error
