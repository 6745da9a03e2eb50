# SPDX-License-Identifier: MIT
"""``release``: the course as a student gets it."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> int:
    """Write the student's copy of the course into DIR: no solutions, no hidden checks, no wrong answers."""
    from kmodlab.course.release import release

    exercises = release(folder, say=say)
    say(f"{len(exercises)} exercises, as skeletons")
    click.echo(folder)
    return 0
