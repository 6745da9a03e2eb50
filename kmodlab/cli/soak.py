# SPDX-License-Identifier: MIT
"""``soak``: machines by the hundred, and what they leave behind."""

from __future__ import annotations

import click

from kmodlab.cli import FELL_SHORT, WENT_WELL
from kmodlab.cli.stages import need_stages
from kmodlab.progress import say

__all__ = ["command"]

_LINES = 20


@click.command()
@click.option("--cycles", type=click.IntRange(4), default=100, show_default=True, help="How many machines.")
def command(cycles: int) -> int:
    """Make, use, crash and replace machines; print the curve of what this process holds meanwhile."""
    need_stages()
    from kmodlab.machine.soak import growth, soak

    click.echo("cycles  failures  processes  descriptors  files in the cache  resident kB")
    samples = []
    for sample in soak(cycles, max(1, cycles // _LINES)):
        samples.append(sample)
        click.echo(
            f"{sample.cycles:6}  {sample.failures:8}  {sample.processes:9}  {sample.descriptors:11}"
            f"  {sample.files:18}  {sample.memory:11}"
        )
    grown = growth(samples)
    if grown:
        say(f"soak: it grew: {grown}")
    return FELL_SHORT if grown or samples[-1].failures else WENT_WELL
