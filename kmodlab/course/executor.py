# SPDX-License-Identifier: MIT
"""Who does the work of `kmodlab.course.tasks`: threads of this process, or the workers of a dask cluster."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from typing import Any

from kmodlab.errors import HostSetupError, KmodlabError, UsageError
from kmodlab.progress import say

__all__ = ["RESOURCE", "WorkersDied", "check_executor", "open_executor", "outcome"]

RESOURCE = "vm"
"""What a worker must have to be given work, and one of it for each piece: ``dask worker --resources vm=1``."""

_PATIENCE = 15  # seconds for a scheduler to answer


class WorkersDied(KmodlabError):
    """A piece of work on which one worker after the other has died."""


def check_executor(text: str) -> tuple[str, str]:
    """Return the kind and the address that ``--executor`` names.

    Raises:
        UsageError: it names none.
    """
    kind, _, address = text.partition("=")
    if kind not in {"local", "dask"} or (kind == "local" and address):
        raise UsageError(f"--executor {text}: none of that name; say local, dask or dask=ADDRESS")
    return kind, address


@contextlib.contextmanager
def open_executor(text: str, jobs: int) -> Iterator[Executor]:
    """Give an executor for functions from text to text; what is still waiting at the end is dropped.

    Args:
        text: ``local``, ``dask`` for workers that are started here and end with it, or ``dask=ADDRESS``.
        jobs: how much is done at once; with an address it is up to the workers.

    Raises:
        UsageError: the text names no executor.
        HostSetupError: dask is not installed, or nobody answers there.
    """
    kind, address = check_executor(text)
    if kind == "dask":
        with _cluster(address, jobs) as pool:
            yield pool
        return
    with ThreadPoolExecutor(jobs, thread_name_prefix="kmodlab-job") as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextlib.contextmanager
def _cluster(address: str, jobs: int) -> Iterator[Executor]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise HostSetupError("use dask: distributed is not installed; pip install 'kmodlab[dask]'") from None
    with contextlib.ExitStack() as stack:
        try:
            # A process for each piece of work: what kills one leaves the others.
            target = address or stack.enter_context(
                distributed.LocalCluster(
                    n_workers=jobs, threads_per_worker=1, resources={RESOURCE: 1}, memory_limit=None,
                    dashboard_address=None, silence_logs=logging.ERROR,
                )
            )  # fmt: skip
            client = distributed.Client(target, timeout=_PATIENCE, set_as_default=False)
            stack.enter_context(client)
        except (OSError, ValueError, TimeoutError) as error:
            words = str(error).partition("\n")[0] or type(error).__name__
            raise HostSetupError(
                f"reach dask's scheduler at {address or 'this computer'}: {words}; dask scheduler starts one, and "
                "./lab worker ADDRESS a worker for it"
            ) from None
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not any(one["resources"].get(RESOURCE) for one in workers):
            say(f"Waiting for a worker; there is none yet that has the resource {RESOURCE}: ./lab worker {address}")
        yield client.get_executor(resources={RESOURCE: 1}, pure=False)


def outcome(future: Future[str]) -> dict[str, Any]:
    """Return what a task gave.

    Raises:
        WorkersDied: the workers that had it died, one after the other.
        HostSetupError: the worker is not set up, or the scheduler is gone.
    """
    try:
        told: dict[str, Any] = json.loads(future.result())
    except CancelledError:
        raise HostSetupError("wait for workers: dask's scheduler is gone; start it again, and this once more") from None
    except Exception as error:
        if not type(error).__module__.startswith("distributed"):
            raise
        raise WorkersDied(f"one worker after the other died of it ({type(error).__name__})") from error
    if "unready" in told:
        raise HostSetupError(f"use the worker on {told['worker']}: {told['unready']}")
    return told
