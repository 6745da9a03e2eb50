# SPDX-License-Identifier: MIT
"""``tour``: the tour as an HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab.cli.stages import need_stages
from kmodlab.progress import say
from kmodlab.resources import resource

__all__ = ["command"]


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), help="Where the page goes."
)
def command(out: Path) -> int:
    """Run the tour and leave an HTML page with its pictures; the last line says where."""
    need_stages()
    from kmodlab.course.execute import execute

    (result,) = execute([resource("notebooks") / "00_tour.ipynb"], out)
    if result.error:
        say(result.error)
    click.echo(result.page)
    return 0 if result.ok else 1
