# SPDX-License-Identifier: MIT
"""``worker``: lend this computer's machines to a dask cluster."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import NoReturn

import click

from kmodlab.cli.environment import child_environment
from kmodlab.cli.stages import need_stages
from kmodlab.errors import HostSetupError
from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument("address")
@click.option("--jobs", type=click.IntRange(1, 256), help="Machines at once; one for each processor otherwise.")
def command(address: str, jobs: int | None) -> NoReturn:
    """Work for the dask scheduler at ADDRESS, for grade and execute with --executor dask=ADDRESS.

    Each piece of work has a process of its own, which is started anew if it dies. Whoever can reach the scheduler can
    run anything here: let it listen only where you trust everybody, or use dask's TLS.
    """
    from kmodlab.build.sandbox import choose_shut
    from kmodlab.course.executor import RESOURCE

    if importlib.util.find_spec("distributed") is None:
        raise HostSetupError("use dask: distributed is not installed; pip install 'kmodlab[dask]'")
    need_stages()
    choose_shut()  # answers of students come here
    count = jobs or os.cpu_count() or 1
    options = ["--nworkers", str(count), "--nthreads", "1", "--resources", f"{RESOURCE}=1", "--memory-limit", "0"]
    say(f"Working for {address}, {count} at once; an interrupt ends it")
    argv = [sys.executable, "-P", "-m", "distributed.cli.dask_worker", address, *options, "--no-dashboard"]
    # In this process's place, so that whoever ends this one, a service manager say, ends the worker.
    os.execve(sys.executable, argv, child_environment())
