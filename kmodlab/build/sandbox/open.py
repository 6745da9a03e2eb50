# SPDX-License-Identifier: MIT
"""What is left where no sandbox can be had: limits, and the end of all that a job leaves behind. It is none.

A compiler reads what it is told to, and a Makefile does what it says, with all that the user may do. For root the job
gets a user id of its own, so that it can read every file but change only what everybody may.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as once
from typing import ClassVar

from kmodlab.build.sandbox import Job, Limits, Outcome
from kmodlab.build.sandbox.inplace import run_in_place
from kmodlab.errors import SandboxError

__all__ = ["Open", "probe"]


@dataclass(frozen=True, slots=True)
class Open:
    """A `Sandbox` that shuts nothing in.

    Attributes:
        own_user: whether root gives the job a user id of its own.
    """

    own_user: bool

    # What `Sandbox` asks of each.
    name: ClassVar[str] = "none: builds run with limits only"
    lacks: ClassVar[str] = (
        "a Makefile, and what the compiler is told to include, reaches your files and your network as you do"
    )
    shut: ClassVar[bool] = False
    in_place: ClassVar[bool] = True

    def run(self, job: Job, watch: Callable[[bytes], object] | None = None) -> Outcome:
        """See `Sandbox.run`."""
        return run_in_place(job, lambda _: ("open=1",), watch, own_user=self.own_user)


@once
def probe() -> Open:
    """Return the way to run a job here, having tried it.

    Raises:
        HostSetupError: the helper cannot be compiled.
        SandboxError: not even limits can be set.
    """
    job = Job("try to run a build", ("true",), {}, limits=Limits(wall=20.0))
    if os.geteuid() == 0:
        try:
            Open(own_user=True).run(job)
        except SandboxError:  # a root that may not become anybody else
            pass
        else:
            return Open(own_user=True)
    (way := Open(own_user=False)).run(job)
    return way
