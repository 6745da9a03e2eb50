# SPDX-License-Identifier: MIT
"""What all tests share: a kernel, machines, and the check that a test leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

import kmodlab
import kmodlab.jupyter
from kmodlab import aio
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.host import kernels
from kmodlab.machine import provision
from kmodlab.resources import checkout, resource
from tests.parts import needs

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from IPython.utils.capture import CapturedIO

    from kmodlab.jupyter.lab import Lab

# How long an example takes says how busy the host is, and nothing about the code.
hypothesis.settings.register_profile(
    "shared host", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared host")

# nohup leaves it ignored, and so it would be for each process started here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the learner's record of whoever runs the tests out of them, and spare machines but where they are tried."""
    os.environ["KMODLAB_POOL"] = "0"
    os.environ["KMODLAB_DATA"] = str(tmp_path_factory.mktemp("data"))
    kmodlab.settings.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is about a checkout where there is none."""
    if checkout() is None:
        items[:] = [item for item in items if not item.get_closest_marker("checkout")]


@pytest.fixture(scope="session")
def kernel() -> KernelBuild:
    """The default kernel, unpacked."""
    with needs("build"):
        return kernels.default_kernel()


@pytest.fixture(scope="session")
def frozen(kernel: KernelBuild) -> KernelBuild:
    """The default kernel, with its frozen machine made and its memory loaded into this process."""
    with needs("machine"):
        chosen = kmodlab.settings()
        provision.template(kernel, chosen.memory, chosen.cpus).memory()
    return kernel


@pytest.fixture
def machine(frozen: KernelBuild) -> Iterator[kmodlab.Machine]:
    """A fresh machine."""
    with kmodlab.Machine(frozen) as vm:
        yield vm


@pytest.fixture(scope="session")
def lab_module(kernel: KernelBuild) -> Callable[[str], ModuleArtifact]:
    """Build a module of ``lab_modules`` by its name."""
    return lambda name: kmodlab.build(resource("lab_modules") / name, kernel)


def children() -> set[int]:
    """The processes that this one has started and that have not been waited for."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def gone(pid: int, limit: float = 10) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)


def descriptors() -> set[tuple[str, str]]:
    """What this process has open, but for what stays: the event loop, templates' memory, a figure's fonts."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(link.readlink())
            kept = "kmodlab-memory" in target or "/mpl-data/fonts/" in target
            if not kept and not target.startswith(("/proc/", "anon_inode:[eventpoll]")):
                found.add((link.name, target))
    return found


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves a process, a file or a socket."""
    aio.loop()
    processes, files = children(), descriptors()
    yield
    deadline = time.monotonic() + 5
    while left := (children() - processes, descriptors() - files):
        if not any(left) or time.monotonic() > deadline:
            break
        gc.collect()
        os.sched_yield()
    assert not left[0], f"processes left: {left[0]}"
    assert not left[1], f"open files left: {left[1]}"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A real IPython session, as a notebook has one."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    session = InteractiveShell.instance(config=config)
    yield session
    kmodlab.jupyter.unload_ipython_extension(session)
    InteractiveShell.clear_instance()


@pytest.fixture
def lab(shell: InteractiveShell) -> Lab:
    """What the session's magics share, loaded into it."""
    return kmodlab.jupyter.load(shell)


@pytest.fixture
def cell(shell: InteractiveShell, lab: Lab) -> Callable[[str], tuple[ExecutionResult, CapturedIO]]:
    """Run a cell; return what came of it and what it showed."""
    from IPython.utils.capture import capture_output

    def run(text: str) -> tuple[ExecutionResult, CapturedIO]:
        with capture_output() as captured:
            result = shell.run_cell(text, store_history=True)
        return result, captured

    return run
