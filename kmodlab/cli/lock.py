# SPDX-License-Identifier: MIT
"""``lock``: hold a course to the kernel and the packages that are here."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab.cli.stages import need_stages
from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option("--newest", is_flag=True, help="First take the newest kernel that Debian has for this release.")
@click.option("--check", is_flag=True, help="Write nothing; say how what is here differs, and end with status 1 then.")
def command(folder: Path | None, newest: bool, check: bool) -> int:
    """Write kmodlab.lock beside the notebooks of DIR: the kernel, compiler and packages that are here.

    Without DIR it is the course of the working folder. Who uses the course is told where their set-up differs.
    """
    from kmodlab.course import lock
    from kmodlab.course.exercise import course_folder
    from kmodlab.errors import UsageError
    from kmodlab.host import kernel_packages, kernels

    place = folder or course_folder().parent
    if check:
        found = lock.find_lock(place)
        if found is None:
            raise UsageError(f"compare with the lock of {place}: there is none; kmodlab lock writes it")
        words = lock.mismatch(found)
        click.echo(words or f"{found}: all as locked")
        return 1 if words else 0
    if newest:
        offered = kernel_packages.resolve_kernel()
        kernels.take_kernel(offered.release, offered.version)
    need_stages()
    path = lock.write_lock(place)
    held = lock.read_lock(path)
    say(f"kernel {held.release} ({held.version}), {len(held.guest)} packages of the guest, {held.compiler}")
    click.echo(path)
    return 0
