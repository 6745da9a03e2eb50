# SPDX-License-Identifier: MIT
"""``setup``: everything that is needed, or nothing."""

from __future__ import annotations

import click

from kmodlab.cli.output import Output
from kmodlab.config import settings
from kmodlab.host import state
from kmodlab.progress import size_text

__all__ = ["command"]


@click.command()
@click.option(
    "--remove", is_flag=True, help="Take away all that was fetched and made (not Debian packages of this machine)."
)
@click.pass_obj
def command(output: Output, remove: bool) -> int:
    """Fetch and make all that the lab needs; what is there already is skipped."""
    if remove:
        click.echo(f"Removed {settings().cache}: {size_text(state.remove(settings().cache))} freed")
        return 0
    from kmodlab.cli.stages import make_stages

    failures = make_stages()
    if failures:
        click.echo("Not everything is set up: " + ", ".join(failure.stage for failure in failures), err=True)
        return 3
    click.echo(f"Everything is set up, in {settings().cache}")
    return 0
