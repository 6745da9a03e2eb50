# SPDX-License-Identifier: MIT
"""The compile sandbox: where a stranger's C and Makefile may run without reaching anything of the host.

A backend takes a `Job` (files in, a command, patterns of files to bring back) and gives an `Outcome`. Files travel by
value in both directions, so no folder of the host is ever writable for what runs inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache as once
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from kmodlab.config import settings
from kmodlab.errors import HostSetupError, KmodlabError, SandboxError
from kmodlab.progress import say

__all__ = ["WORK", "Job", "Limits", "Outcome", "Sandbox", "choose", "choose_shut"]

WORK = "/build"
"""The only folder that is writable inside; the job's files are unpacked there and its command starts there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use before it is stopped.

    Attributes:
        memory: bytes of address space of each process.
        processes: how many processes may live at once.
        file_size: bytes of the largest file that may be written.
        cpu: seconds of processor time of each process.
        wall: seconds from start to end.
        output: bytes of text, and as many again of resulting files.
        space: bytes of the writable folder.
    """

    memory: int = 1 << 30
    processes: int = 128
    file_size: int = 64 << 20
    cpu: int = 60
    wall: float = 120.0
    output: int = 32 << 20
    space: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """A command to run inside.

    Attributes:
        title: what it is for, for messages: ``build hello``.
        argv: the program and its arguments, never a shell line.
        files: relative path to content, of what is to lie in the working folder.
        results: file name patterns (of ``find -name``) of what to bring back.
        texts: patterns of those names, in or out, of files that speak of places inside, as `argv` and `env` may too.
        binds: pairs (on the host, inside) of what to show read-only.
        env: the environment; nothing of the host's is passed on.
        limits: what it may use.
        narrow: show of the host only where the compiler and its libraries lie: half of the time to enter is for the
            other folders. A Makefile may want them.
    """

    title: str
    argv: tuple[str, ...]
    files: Mapping[str, bytes]
    results: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    binds: tuple[tuple[Path, Path], ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = field(default_factory=Limits)
    narrow: bool = False

    def speaks(self, path: str) -> bool:
        """Whether a file, in or out, is one of `texts`."""
        return any(fnmatchcase(path.rpartition("/")[2], pattern) for pattern in self.texts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
        exit_status: of the command.
        output: what it printed to both outputs, in order.
        files: relative path to content, of the files that match the job's patterns.
        seconds: how long it took, the sandbox included.
    """

    exit_status: int
    output: str
    files: Mapping[str, bytes]
    seconds: float


class Sandbox(Protocol):
    """One way to shut a command in."""

    @property
    def name(self) -> str:
        """The backend's name, for ``doctor``."""

    @property
    def lacks(self) -> str:
        """What it does not do that a sandbox should, in words; an empty text if there is nothing."""

    @property
    def shut(self) -> bool:
        """Whether what a stranger wrote may be built in it."""

    @property
    def in_place(self) -> bool:
        """Whether a job works with files where they lie on the host, so that what it keeps for later depends on that.

        The compiler's options that put the names inside into objects then stand in the job's ``KCFLAGS``, which kbuild
        takes by itself; any other command that makes objects must ask for them.
        """

    def run(self, job: Job, watch: Callable[[bytes], object] | None = None) -> Outcome:
        """Run a job to its end; its exit status is not judged here.

        Args:
            job: what to run.
            watch: called with each piece of output as it comes, for progress.

        Raises:
            SandboxError: the sandbox could not be entered, or the job went over a limit.
        """


def choose() -> Sandbox:
    """Return the best sandbox that this host allows (``KMODLAB_SANDBOX``); it is tried once per process.

    Where there is none, what comes back shuts nothing in, and that is said once.

    Raises:
        HostSetupError: a program that one needs is not installed.
        SandboxError: the one that was asked for is forbidden here; the message says how to permit it.
    """
    return _chosen(settings().sandbox)[0]


def choose_shut() -> Sandbox:
    """Return the same for what a stranger wrote.

    Raises:
        HostSetupError, SandboxError: as `choose`, or because nothing here would shut it in.
    """
    sandbox, why = _chosen(settings().sandbox)
    if not sandbox.shut:
        raise SandboxError(f"build what others wrote: there is no compile sandbox here: {why}")
    return sandbox


@once
def _chosen(wanted: str) -> tuple[Sandbox, str]:
    """The sandbox, and why there is none if it is the one that is none."""
    from kmodlab.build.sandbox import bubblewrap, landlock
    from kmodlab.build.sandbox import open as unshut
    from kmodlab.build.sandbox.common import ForbiddenError

    ways: dict[str, Callable[[], Sandbox]] = {"bubblewrap": bubblewrap.probe, "landlock": landlock.probe}
    errors: list[KmodlabError] = []
    for name, probe in ways.items():
        if wanted in {"auto", name}:
            try:
                return probe(), ""
            except (HostSetupError, SandboxError) as error:
                errors.append(error)
    # What can be installed is asked for, and a host that is too busy to tell is no reason to build without.
    for failure in errors:
        if wanted != "auto" or not isinstance(failure, ForbiddenError):
            raise failure
    why = "; ".join(str(failure).removeprefix("enter the compile sandbox: ") for failure in errors)
    sandbox = unshut.probe()
    say(f"kmodlab: builds are not shut in here: {sandbox.lacks}; build only what you trust (./lab doctor says why)")
    return sandbox, why or "KMODLAB_SANDBOX=open"
