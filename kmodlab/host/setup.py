# SPDX-License-Identifier: MIT
"""Setting up in stages, each skipped where its outcome is there already, each announced with what it will download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kmodlab.config import settings
from kmodlab.errors import HostSetupError, KmodlabError
from kmodlab.host import kernel_packages, kernels, packages, state
from kmodlab.host.ledger import noted
from kmodlab.host.system import require_debian
from kmodlab.progress import say, size_text

__all__ = ["Failure", "Stage", "kernel_stage", "packages_stage", "run_stages"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing to set up.

    Attributes:
        name: a word for it.
        ready: whether it is there; must be quick.
        announce: what will be done and how large the download is, in one line.
        make: does it; raises a `KmodlabError` if it cannot.
        needs: the stage without which it cannot be made.
    """

    name: str
    ready: Callable[[], bool]
    announce: Callable[[], str]
    make: Callable[[], object]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage that could not be made.

    Attributes:
        stage: its name.
        error: why, and what to do.
    """

    stage: str
    error: KmodlabError


def run_stages(stages: Sequence[Stage]) -> tuple[Failure, ...]:
    """Make what is missing, in order, as far as it goes; return what could not be made.

    Raises:
        HostSetupError: something is missing, and this is no system on which it could be made.
    """
    state.claim(settings().cache)
    failures: list[Failure] = []
    for number, stage in enumerate(stages, 1):
        if stage.ready():
            continue
        require_debian()
        lacking = [failure for failure in failures if failure.stage == stage.needs]
        if lacking:
            failures.append(Failure(stage.name, lacking[0].error))
            continue
        try:
            say(f"[{number}/{len(stages)}] {stage.announce()}")
            with noted(settings().cache, stage.name):
                stage.make()
        except KmodlabError as error:
            say(f"{error}")
            failures.append(Failure(stage.name, error))
    return tuple(failures)


def packages_stage() -> Stage:
    """The host's own Debian packages."""
    return Stage("packages", lambda: not packages.missing_packages(), _announce_packages, _make_packages)


def _announce_packages() -> str:
    missing = packages.missing_packages()
    size = packages.download_size(missing)
    names = ", ".join(package.name for package in missing)
    return f"Debian packages for this machine: {names}" + (f" (download: {size_text(size)})" if size else "")


def _make_packages() -> None:
    missing = packages.missing_packages()
    rights = packages.privilege()
    if rights is None:
        raise HostSetupError(
            "install Debian packages: neither root nor sudo here (EPERM); an administrator does it with\n"
            f"  {packages.install_line(missing)}"
        )
    packages.install(missing, rights)


def kernel_stage(pinned: tuple[str, str] | None = None, *, insist: bool = False) -> Stage:
    """The default kernel with its headers.

    Args:
        pinned: release and version of the one to take, where it can be had; else it is Debian's stock kernel of this
            machine's release.
        insist: take it also where another one is the default already.
    """
    return Stage(
        "kernel",
        lambda: _kernel_is_ready(pinned if insist else None),
        lambda: _announce_kernel(pinned),
        lambda: _make_kernel(pinned),
    )


def _kernel_is_ready(pinned: tuple[str, str] | None) -> bool:
    try:
        kernel = kernels.default_kernel()
    except HostSetupError:
        return False
    return pinned is None or (kernel.release, kernel.version) == pinned


def _announce_kernel(pinned: tuple[str, str] | None) -> str:
    if pinned and kernels.find_kernel(*pinned):
        return f"Kernel {pinned[0]} ({pinned[1]}), as the course's lock asks (no download)"
    try:
        release, version = pinned or (None, "")
        found = kernel_packages.resolve_kernel(release, version=version)
    except HostSetupError:
        if not pinned:
            raise
        return f"Kernel {pinned[0]} ({pinned[1]}), as the course's lock asks"
    why = ", as the course's lock asks," if pinned else ""
    return f"Kernel {found.release}{why} with its headers (download: {size_text(found.size)})"


def _make_kernel(pinned: tuple[str, str] | None) -> None:
    if pinned:
        try:
            kernels.take_kernel(*pinned)
        except HostSetupError as error:
            words = str(error).rpartition(";")[0] or str(error)
            say(f"kmodlab: the locked kernel {pinned[0]} ({pinned[1]}) cannot be had: {words}; another one serves")
    kernels.ensure_kernel()
