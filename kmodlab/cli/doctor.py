# SPDX-License-Identifier: MIT
"""``doctor``: what this host has, what it lacks, and how to mend it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from kmodlab import shared
from kmodlab.cli.output import Output
from kmodlab.config import settings
from kmodlab.errors import KmodlabError, SandboxError
from kmodlab.host import kernels, packages
from kmodlab.host.system import advice, this_system
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
        if missing and advice(this_system()) is None:
            click.echo(packages.install_line(missing))
    return 0 if ok else 3


def checks() -> Iterator[Check]:
    """Look at everything, the cheap and certain first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", sys.version_info >= (3, 11), version, "everything", "install Python 3.11 or newer")
    system = _system()
    yield system
    if not system.ok:
        return  # nothing below could be mended there
    for package in packages.HOST_PACKAGES:
        found = package.found()
        yield Check(package.name, bool(found), found, package.purpose, packages.install_line([package]))
    base = settings().shared_cache
    if base:
        yield _shared_cache(base)
    yield _sandbox()
    yield _kernel()
    yield from _machine()
    yield from _lock()
    free = shutil.disk_usage(settings().cache if settings().cache.exists() else "/").free
    where = f"{size_text(free)} free for {settings().cache}"
    yield Check(
        "disk", free > _ROOM, where, "setting up", "free some, or set KMODLAB_CACHE to a folder on a larger disk"
    )


def _system() -> Check:
    here = this_system()
    found = advice(here)
    if found:
        return Check("system", False, f"{here.title}: {found.why}", "everything", found.mend)
    remarks = [*(["not Debian itself: not tried"] if not here.tried else []), *(["WSL"] if here.windows else [])]
    return Check("system", True, here.title + (f" ({', '.join(remarks)})" if remarks else ""), "everything")


def _sandbox() -> Check:
    from kmodlab.build import sandbox

    name, needed = "compile sandbox", "building modules"
    try:
        chosen = sandbox.choose()
    except KmodlabError as error:
        return Check(name, False, "", needed, str(error))
    found = "; ".join(filter(None, (chosen.name, chosen.lacks)))
    try:
        sandbox.choose_shut()
    except SandboxError as error:
        return Check(name, False, found, "grading, and building what others wrote", str(error))
    return Check(name, True, found, needed)


def _kernel() -> Check:
    try:
        kernel = kernels.default_kernel()
    except KmodlabError:
        return Check("kernel", False, "", "building modules and running machines", "run ./lab setup")
    found = f"{kernel.release} ({kernel.source}){_where(kernel.root)}"
    return Check("kernel", True, found, "building modules and running machines")


def _lock() -> Iterator[Check]:
    """What the course's lock asks for, if it has one; a difference hinders nothing here, so it is told and no more."""
    from kmodlab.course.lock import NAME, course_lock, mismatch

    found = course_lock()
    if found is None:
        return
    try:
        words = mismatch(found)
    except KmodlabError as error:
        words = str(error)
    yield Check(NAME, True, words or f"{found}: all as locked", "the same results as others have")


def _where(path: Path) -> str:
    base = settings().shared_cache
    return ", in the shared cache" if base and path.is_relative_to(base) else ""


def _shared_cache(folder: Path) -> Check:
    """Whether the shared cache can be used, and what of it."""
    needed = "having once for all users what each would fetch and make"
    try:
        why = shared.complaint(folder)
    except OSError as error:
        why = error.strerror or "unreadable"
    if why:
        mend = f"let root fill it (KMODLAB_CACHE={folder} ./lab setup) and leave it for others to read, or unset it"
        return Check("shared cache", False, f"{folder}: {why}", needed, mend)
    there = [name for name in sorted(shared.SHARED_PARTS) if shared.shared(settings().cache / name)]
    return Check("shared cache", True, f"{folder} ({', '.join(there) or 'nothing in it that can be used'})", needed)


def _machine() -> Iterator[Check]:
    from kmodlab.machine import accelerator
    from kmodlab.machine.image import find_image
    from kmodlab.machine.provision import ready_template

    mend = "run ./lab setup"
    image = template = None
    with contextlib.suppress(KmodlabError):
        kernel = kernels.default_kernel()
        image, template = find_image(kernel), ready_template(kernel, settings().memory, settings().cpus)
    for name, found, needed in (
        ("guest image", image, "running machines"), ("frozen machine", template, "machines that start fast"),
    ):  # fmt: skip
        yield Check(name, found is not None, f"made{_where(found.folder)}" if found else "", needed, mend)
    chosen = settings().accelerator if settings().accelerator != "auto" else accelerator.verdict()
    yield Check("accelerator", True, chosen or "not tried yet", "speed")
