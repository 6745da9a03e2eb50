# SPDX-License-Identifier: MIT
"""``new``: a folder for a new module."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab.build.new import KINDS, new_module
from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), default="hello", show_default=True, help="What to begin with.")
def command(name: str, kind: str) -> int:
    """Make the folder NAME with a module that builds, loads and passes `check`; the last line is its path."""
    folder = new_module(name, kind, Path())
    say(f"next: kmodlab try {folder}")
    click.echo(folder)
    return 0
