# SPDX-License-Identifier: MIT
"""``init``: a learner's own copy of the course."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> int:
    """Make a copy of the course in DIR that is yours; again later, to bring it up to date.

    What you have written stays. Where both you and the course have changed something, both are kept, and it is said
    where. The last line is the path of DIR.
    """
    from kmodlab.course.copy import is_copy, update_copy

    known = is_copy(folder)
    changes = update_copy(folder)
    if known:
        for change in changes:
            say(f"{change.what}: {change.path}" + (f" ({change.remark})" if change.remark else ""))
        if not changes:
            say("nothing has changed since")
    else:
        say(f"{len(changes)} files; begin with: kmodlab start {folder}")
    click.echo(folder)
    return 0
