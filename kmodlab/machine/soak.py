# SPDX-License-Identifier: MIT
"""Machines made, used, crashed and replaced over and over, and what that leaves on the host: it should be nothing."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.build import build
from kmodlab.build.source import ModuleSource
from kmodlab.config import settings
from kmodlab.errors import KernelOops, MachineLost
from kmodlab.machine.machine import Machine
from kmodlab.machine.pool import close_pool
from kmodlab.progress import say

__all__ = ["Sample", "growth", "soak"]

_FETCHED = {"apt", "bundle", "kernels", "python", "reference"}
"""Folders of the cache that no machine writes to, and that others who share it may be filling."""
_MODULE = """
#include <linux/module.h>

static bool crash;
module_param(crash, bool, 0444);

static int __init soak_init(void)
{
	pr_info("soak: here\\n");
	/* DELIBERATE BUG: on demand, what every kernel programmer does once */
	return crash ? *(volatile int *)8 : 0;
}

static void __exit soak_exit(void)
{
}

module_init(soak_init);
module_exit(soak_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Loads and goes, or crashes");
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """What this process holds after some cycles.

    Attributes:
        cycles: how many have been done.
        failures: how many of these did not go as they should.
        processes: its children.
        descriptors: its open files.
        files: files in the cache folder, but for what is only ever fetched.
        memory: its resident memory, in kB (``VmRSS`` of ``/proc/self/status``).
    """

    cycles: int
    failures: int
    processes: int
    descriptors: int
    files: int
    memory: int


def soak(cycles: int, every: int) -> Iterator[Sample]:
    """Run so many cycles and yield a sample after each `every` of them.

    A cycle takes a fresh machine, and loads a module and unloads it, or has it oops, or panics, or kills QEMU.
    """
    vm = Machine()
    module = build(ModuleSource.from_text("soak", _MODULE), vm.kernel)
    ends = (_unload, _oops, _panic, _kill)
    failures = 0
    for cycle in range(1, cycles + 1):
        try:
            vm.start()
            ends[cycle % len(ends)](vm, module)
        except Exception as error:
            failures += 1
            say(f"soak: cycle {cycle}: {type(error).__name__}: {error}")
        finally:
            vm.kill()
        if cycle % every == 0 or cycle == cycles:
            yield _sample(cycle, failures)


def growth(samples: list[Sample]) -> str:
    """Return what has grown between the first quarter of a run and its end, in words, or an empty text.

    Memory may grow by 8 MB before that counts: Python's allocator keeps what it once had.
    """
    early, late = samples[len(samples) // 4], samples[-1]
    grown = [
        f"{name} from {getattr(early, name)} to {getattr(late, name)}"
        for name, slack in (("processes", 0), ("descriptors", 0), ("files", 0), ("memory", 8192))
        if getattr(late, name) > getattr(early, name) + slack
    ]
    return ", ".join(grown)


def _unload(vm: Machine, module: ModuleArtifact) -> None:
    vm.insmod(module)
    assert vm.dmesg().containing("soak: here")
    vm.rmmod("soak")


def _oops(vm: Machine, module: ModuleArtifact) -> None:
    _must_raise(KernelOops, lambda: vm.insmod(module, crash=True))


def _panic(vm: Machine, module: ModuleArtifact) -> None:
    vm.insmod(module)
    _must_raise(MachineLost, lambda: vm.run("echo c > /proc/sysrq-trigger"))
    assert vm.dmesg().containing("Kernel panic")


def _kill(vm: Machine, module: ModuleArtifact) -> None:
    assert vm.pid
    os.kill(vm.pid, signal.SIGKILL)
    _must_raise(MachineLost, lambda: vm.run("true"))


def _must_raise(kind: type[Exception], work: Callable[[], object]) -> None:
    with contextlib.suppress(kind):
        work()
        raise AssertionError(f"no {kind.__name__}")


def _sample(cycle: int, failures: int) -> Sample:
    close_pool()  # spares come and go with use
    gc.collect()
    memory = _resident()  # before the counting, which takes some itself
    tasks = [task / "children" for task in Path("/proc/self/task").iterdir()]
    return Sample(
        cycle,
        failures,
        processes=sum(len(task.read_text().split()) for task in tasks if task.exists()),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        files=_files(settings().cache),
        memory=memory,
    )


def _resident() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def _files(cache: Path) -> int:
    """How many files a cache holds, without a list of them: the kernels alone are tens of thousands."""
    count = 0
    for folder, names, files in os.walk(cache):
        if Path(folder) == cache:
            names[:] = [name for name in names if name not in _FETCHED]
        count += len(files)
    return count
