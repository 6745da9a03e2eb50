# SPDX-License-Identifier: MIT
"""``setup``: everything that is needed, or nothing; packed for a room without network, or taken from such a pack."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

import kmodlab
from kmodlab.cli.output import Output
from kmodlab.config import settings
from kmodlab.host import state
from kmodlab.progress import say, size_text

__all__ = ["command"]


@click.command()
@click.option(
    "--remove", is_flag=True, help="Take away all that was fetched and made (not Debian packages of this machine)."
)
@click.option(
    "--export", "target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Pack all that a set-up fetches into FILE, for machines without a network.",
)  # fmt: skip
@click.option(
    "--from", "source", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Take all from FILE, which --export made on a machine like this one; no network is needed.",
)  # fmt: skip
@click.option(
    "--lock", metavar="DIR|FILE", type=click.Path(path_type=Path, exists=True),
    help="Take the kernel that this kmodlab.lock names, where it can be had; that of the course otherwise.",
)  # fmt: skip
@click.pass_obj
def command(output: Output, remove: bool, target: Path | None, source: Path | None, lock: Path | None) -> int:
    """Fetch and make all that the lab needs; what is there already is skipped."""
    if sum([remove, bool(target), bool(source)]) > 1:
        raise click.UsageError("--remove, --export and --from do not go together")
    if remove:
        click.echo(f"Removed {settings().cache}: {size_text(state.remove(settings().cache))} freed")
        return 0
    held = _lock(lock)
    if target:
        size = size_text(_export(target, held))
        say(f"Packed {size}; on a machine without network: ./lab setup --from {target.name}")
        click.echo(target)
        return 0
    if source:
        from kmodlab.host.packing import unpack_bundle

        unpack_bundle(source, settings().cache)
    from kmodlab.cli.stages import make_stages

    failures = make_stages(lock=held)
    if failures:
        click.echo("Not everything is set up: " + ", ".join(failure.stage for failure in failures), err=True)
        return 3
    if held:
        from kmodlab.course.lock import hold

        hold([held.parent], insist=False)
    click.echo(f"Everything is set up, in {settings().cache}")
    return 0


def _lock(given: Path | None) -> Path | None:
    """The lock that was named, or that of the course."""
    from kmodlab.course.lock import course_lock, find_lock

    found = (find_lock(given) if given.is_dir() else given) if given else course_lock()
    if given and found is None:
        raise click.UsageError(f"--lock {given}: there is no kmodlab.lock; kmodlab lock writes it")
    return found


def _export(target: Path, lock: Path | None) -> int:
    """Fetch all that a set-up of a bare machine would, pack it, and return the size in bytes."""
    from kmodlab.course.lock import read_lock
    from kmodlab.host import apt, bootstrap, kernel_packages, packages, packing
    from kmodlab.host.deb import discard
    from kmodlab.machine.image import guest_packages

    names = [package.name for package in packages.HOST_PACKAGES]
    debs = {deb.filename: deb for deb in apt.resolve([*names, "python3-pip-whl"], with_dependencies=True)}
    debs |= {deb.filename: deb for deb in (*guest_packages(), *kernel_packages.default_packages())}
    if lock:
        held = read_lock(lock)
        debs |= {deb.filename: deb for deb in kernel_packages.resolve_kernel(held.release, version=held.version).debs}
    files = apt.download(list(debs.values()))
    with tempfile.TemporaryDirectory(dir=settings().cache, prefix=".new-wheels-") as place:
        wheels = bootstrap.download_wheels(Path(place), settings().cache)
        size = packing.pack(target, files, wheels, kmodlab.__version__)
    discard(files)
    return size
