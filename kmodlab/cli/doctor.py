# SPDX-License-Identifier: MIT
"""``doctor``: what this host has, what it lacks, and how to mend it."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click

from kmodlab.cli.output import Output
from kmodlab.config import settings
from kmodlab.errors import KmodlabError
from kmodlab.host import kernels, packages
from kmodlab.progress import size_text

__all__ = ["Check", "checks", "command"]

_ROOM = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether it is as it should be.
        found: what was found.
        needed_for: what does not work without it.
        mend: what to do, or an empty text where nothing is to be done.
    """

    name: str
    ok: bool
    found: str
    needed_for: str
    mend: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(output: Output, as_json: bool) -> int:
    """Say what this host has, what it lacks, and how to mend it."""
    found = list(checks())
    ok = all(check.ok for check in found)
    output.emit({"ok": ok, "checks": [dataclasses.asdict(check) for check in found]})
    if not as_json:
        for check in found:
            click.echo(f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.found or 'not there'}")
            if check.mend and not check.ok and not check.mend.startswith("apt-get"):
                click.echo(f"        needed for {check.needed_for}; {check.mend}")
        missing = packages.missing_packages()
        if missing:
            click.echo(packages.install_line(missing))
    return 0 if ok else 3


def checks() -> Iterator[Check]:
    """Look at everything, the cheap and certain first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", sys.version_info >= (3, 11), version, "everything", "install Python 3.11 or newer")
    for package in packages.HOST_PACKAGES:
        found = package.found()
        yield Check(package.name, bool(found), found, package.purpose, packages.install_line([package]))
    yield _sandbox()
    yield _kernel()
    yield from _machine()
    free = shutil.disk_usage(settings().cache if settings().cache.exists() else "/").free
    where = f"{size_text(free)} free for {settings().cache}"
    yield Check(
        "disk", free > _ROOM, where, "setting up", "free some, or set KMODLAB_CACHE to a folder on a larger disk"
    )


def _sandbox() -> Check:
    from kmodlab.build import sandbox

    try:
        found, mend = type(sandbox.choose()).__name__, ""
    except KmodlabError as error:
        found, mend = "", str(error)
    return Check("compile sandbox", bool(found), found, "building modules", mend)


def _kernel() -> Check:
    try:
        kernel = kernels.default_kernel()
    except KmodlabError:
        return Check("kernel", False, "", "building modules and running machines", "run ./lab setup")
    return Check("kernel", True, f"{kernel.release} ({kernel.source})", "building modules and running machines")


def _machine() -> Iterator[Check]:
    from kmodlab.cli import stages
    from kmodlab.machine import accelerator

    mend = "run ./lab setup"
    ready = {stage.name: stage.ready() for stage in stages.all_stages()}
    yield Check("guest image", ready["image"], "made" if ready["image"] else "", "running machines", mend)
    yield Check(
        "frozen machine", ready["template"], "made" if ready["template"] else "", "machines that start fast", mend
    )
    chosen = settings().accelerator if settings().accelerator != "auto" else accelerator.verdict()
    yield Check("accelerator", True, chosen or "not tried yet", "speed")
