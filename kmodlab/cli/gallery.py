# SPDX-License-Identifier: MIT
"""``gallery``: every kind of picture, from one real machine, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmodlab.cli import WENT_WELL
from kmodlab.cli.stages import need_stages
from kmodlab.progress import say

if TYPE_CHECKING:
    from kmodlab.course.gallery import Shown

__all__ = ["command"]


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), help="Where the page goes."
)
def command(out: Path) -> int:
    """Draw every kind of picture from one machine and leave a page of them; the last line says where."""
    need_stages()
    from kmodlab.course.gallery import open_gallery

    page, _ = open_gallery(out, watch=_tell)
    click.echo(page)
    return WENT_WELL


def _tell(shown: Shown) -> None:
    say(f"{shown.exhibit.name} ({shown.seconds:.1f} s)")
