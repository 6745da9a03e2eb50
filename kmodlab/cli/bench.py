# SPDX-License-Identifier: MIT
"""``bench``: the figures of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kmodlab import process
from kmodlab.cli.environment import child_environment
from kmodlab.cli.stages import need_stages
from kmodlab.resources import resource

__all__ = ["command"]


@click.command()
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file.")
@click.option("--equivalence", is_flag=True, help="Build the course's modules both ways and compare, instead.")
@click.option("--table", is_flag=True, help="Measure what README.md's table shows, and print that table.")
@click.argument("rows", nargs=-1)
def command(file: Path | None, equivalence: bool, table: bool, rows: tuple[str, ...]) -> int:
    """Measure this machine: all rows, or those named."""
    bench = resource("tests") / "bench"
    need_stages()
    flags = [f"--{name}" for name, given in (("equivalence", equivalence), ("table", table)) if given]
    options = [*(["--json", str(file.absolute())] if file else []), *flags]
    argv: list[str | Path] = [sys.executable, bench, *options, *rows]
    return process.attached(argv, cwd=bench.parent.parent, env=child_environment())
