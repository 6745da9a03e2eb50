# SPDX-License-Identifier: MIT
"""``python``: Python in the lab's own environment."""

from __future__ import annotations

import os
import sys

import click

from kmodlab.cli.environment import child_environment

__all__ = ["command"]


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run Python with kmodlab importable; all arguments are Python's."""
    os.execve(sys.executable, [sys.executable, *arguments], child_environment())
