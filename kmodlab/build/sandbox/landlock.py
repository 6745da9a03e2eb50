# SPDX-License-Identifier: MIT
"""The compile sandbox without namespaces: Landlock says which files can be opened, seccomp what else can be asked for.

What it cannot hide: whether a file of a known name exists, how large it is and when it was changed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import ClassVar

from kmodlab.build.sandbox import Job, Limits, Outcome
from kmodlab.build.sandbox.common import ForbiddenError, host_folders
from kmodlab.build.sandbox.inplace import NEEDS, run_in_place

__all__ = ["Landlock", "probe"]

_DEVICES = ("null", "zero", "full", "random", "urandom")
_CREATE_RULESET, _ASK_VERSION = 444, 1  # landlock_create_ruleset(2), the same number on every architecture
_NEWEST = 1 << 15


@dataclass(frozen=True, slots=True)
class Landlock:
    """A `Sandbox` by Landlock and seccomp.

    Attributes:
        version: of the kernel's Landlock, up to which it is used.
    """

    version: int

    # What `Sandbox` asks of each.
    lacks: ClassVar[str] = (
        "without namespaces a build can see whether a file of a known name exists, its size and its times"
    )
    shut: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``Landlock``, and its version here."""
        return f"Landlock (version {self.version}, seccomp)"

    def run(self, job: Job, watch: Callable[[bytes], object] | None = None) -> Outcome:
        """See `Sandbox.run`."""
        return run_in_place(job, self._words, watch, own_user=True)

    def _words(self, folders: list[Path]) -> Iterator[str]:
        yield f"newest={self.version}"
        yield from (f"device=/dev/{name}" for name in _DEVICES)
        yield from (f"read={path}" for path in (*host_folders("/usr"), *folders))


@once
def probe(newest: int = _NEWEST) -> Landlock:
    """Return the sandbox by Landlock, having tried it.

    Args:
        newest: the version of Landlock up to which it is used, as if the kernel knew no newer one.

    Raises:
        HostSetupError: its helper cannot be compiled.
        SandboxError: this kernel has no Landlock, or forbids its use.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        words = os.strerror(ctypes.get_errno())
        raise ForbiddenError(f"enter the compile sandbox: Landlock: {words}; {NEEDS}")
    way = Landlock(min(version, newest))
    way.run(Job("try the compile sandbox", ("true",), {}, limits=Limits(wall=20.0)))
    return way
