# SPDX-License-Identifier: MIT
"""``execute``: notebooks, headless."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmodlab.cli.stages import need_stages
from kmodlab.progress import say

if TYPE_CHECKING:
    from kmodlab.course.execute import NotebookResult

__all__ = ["command"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many at once.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), help="Where the pages go."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="A report for CI systems.")
@click.option(
    "--executor", default="local", show_default=True, metavar="local|dask[=ADDRESS]",
    help="Who does the work: this computer, or the workers of a dask cluster (see ./lab worker).",
)  # fmt: skip
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Where the run notebooks go.")
@click.option("--locked", is_flag=True, help="Fail where what is here differs from the notebooks' kmodlab.lock.")
@click.option("--solved/--unsolved", default=None, help="Put solutions, or skeletons, into the exercises' cells.")
def command(
    paths: tuple[Path, ...],
    jobs: int,
    out: Path,
    junit: Path | None,
    executor: str,
    keep: Path | None,
    locked: bool,
    solved: bool | None,
) -> int:
    """Run notebooks (or all in a folder) and leave an HTML page of each, and an index of them.

    What a learner has done is neither read nor changed: the notebooks get a record of their own.
    """
    from kmodlab.course.execute import execute, find_notebooks, write_index, write_junit, write_notebooks
    from kmodlab.course.executor import check_executor, open_executor
    from kmodlab.course.lock import hold

    check_executor(executor)
    notebooks = find_notebooks(paths)
    need_stages()
    hold((path.absolute().parent for path in notebooks), insist=locked)
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        # Notebooks on this computer need no threads: each is a process of its own anyhow.
        pool = None if executor == "local" else stack.enter_context(open_executor(executor, jobs))
        results = execute(notebooks, out, jobs=jobs, solved=solved, pool=pool, watch=_tell)
    say(f"{len(results)} notebook{'s' * (len(results) != 1)} in {time.monotonic() - start:.1f} s")
    if keep:
        write_notebooks(results, keep)
    if junit:
        write_junit(results, junit)
    click.echo(write_index(results, out))
    return 0 if all(result.ok for result in results) else 1


def _tell(result: NotebookResult) -> None:
    say(f"{'passed' if result.ok else 'FAILED'} {result.notebook} ({result.seconds:.1f} s)")
    if result.error:
        say(result.error)
