# SPDX-License-Identifier: MIT
"""``kernels``: which kernels there are to build against and to boot."""

from __future__ import annotations

import dataclasses

import click

from kmodlab.cli.output import Output
from kmodlab.host.kernel_packages import ARCHITECTURES
from kmodlab.host.offers import More

__all__ = ["command"]


@click.command()
@click.option("--backports", is_flag=True, help="Also what this release's backports offer.")
@click.option("--next", "next_", is_flag=True, help="Also what the next release offers.")
@click.option("--arch", type=click.Choice(sorted(ARCHITECTURES)), help="Also those for another architecture.")
@click.option("--all", "every", is_flag=True, help="Not only the newest of each series; with --json all are listed.")
@click.option("--add", "releases", multiple=True, metavar="RELEASE", help="Fetch a kernel and freeze a machine of it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(
    output: Output,
    backports: bool,
    next_: bool,
    arch: str | None,
    every: bool,
    releases: tuple[str, ...],
    as_json: bool,
) -> int:
    """List the kernels that this machine's apt sources offer, and which are ready.

    One for another architecture is emulated, and its modules are built by a cross compiler.
    Any of them is a --kernel of try, check, build and shell, and Machine(kernel="RELEASE") in Python. So is the path
    of a folder in which a kernel was built.
    """
    from kmodlab.host.offers import newest, offers
    from kmodlab.records.table import Rows

    asked: tuple[tuple[More, bool], ...] = (("backports", backports), ("next", next_))
    more = [which for which, wanted in asked if wanted]
    for release in releases:
        _add(release, more)
    found = offers(more, arch or "")
    output.emit({"kernels": [dataclasses.asdict(one) for one in found]})
    if not as_json:
        click.echo(str(found if every else Rows(newest(found), caption=found.caption, columns=found.columns)))
    return 0


def _add(release: str, more: list[More]) -> None:
    """Make a kernel ready: its files, the recipe of a build, a frozen machine."""
    from kmodlab.build.architecture import of_debian
    from kmodlab.build.fast import prepare
    from kmodlab.config import settings
    from kmodlab.host import kernels
    from kmodlab.host.offers import archive_of
    from kmodlab.machine import provision

    named = of_debian(release)
    archive = archive_of(more[-1] if more else None, named.debian if named else "")
    kernel = kernels.ensure_kernel(release, archive)
    chosen = settings()
    prepare(kernel, chosen.cache, chosen.build_timeout)
    provision.template(kernel, chosen.memory, chosen.cpus)
