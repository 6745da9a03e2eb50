# SPDX-License-Identifier: MIT
"""Interrupts at any moment, and the sudden end of whoever owns a machine: nothing stays, all works afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import Settings
from kmodlab.errors import MachineLost
from kmodlab.machine.machine import State
from tests.conftest import gone

pytestmark = pytest.mark.machine

SOURCE = """
#include <linux/module.h>
static int __init brief_init(void) { pr_info("brief: here\\n"); return 0; }
static void __exit brief_exit(void) { }
module_init(brief_init);
module_exit(brief_exit);
MODULE_LICENSE("GPL");
"""


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings with a cache for builds that is empty and goes away."""
    return dataclasses.replace(kmodlab.settings(), cache=tmp_path / "cache")


def cycle(vm: kmodlab.Machine, kernel: KernelBuild, own: Settings, *, force: bool = True) -> None:
    """All that a learner does: build (out of the cache unless forced), clone, load, run, unload."""
    built = build(kmodlab.ModuleSource.from_text("brief", SOURCE), kernel, settings=own, force=force)
    vm.reset()
    vm.insmod(built)
    assert vm.run("echo out; cat /proc/modules | head -1").stdout.startswith("out\nbrief ")
    vm.rmmod("brief")
    assert vm.dmesg().containing("brief: here")


@contextlib.contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """Send this process' main thread SIGINT after a time, as a notebook's stop button does, and take it."""
    timer = threading.Timer(seconds, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        yield
        timer.join()
    timer.join()


@pytest.mark.parametrize("moments", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_an_interrupt_at_any_moment(frozen: KernelBuild, own: Settings, moments: int) -> None:
    seed = random.randrange(1 << 32)
    chosen = random.Random(seed)
    vm = kmodlab.Machine(frozen)
    try:
        longest = {}
        for force in (True, False):
            start = time.monotonic()
            cycle(vm, frozen, own, force=force)
            longest[force] = time.monotonic() - start
        for moment in range(moments):
            force = moment % 3 == 0
            delay = chosen.uniform(0, longest[force])
            with interrupt_after(delay):
                for _ in range(20):  # it comes in the first, unless the host was slow just now
                    cycle(vm, frozen, own, force=force)
            assert vm.state in {State.NEW, State.RUNNING, State.CLOSED}, (seed, moment, delay)
            if vm.state is State.RUNNING:
                assert vm.run("echo usable", timeout=20).stdout == "usable\n", (seed, moment, delay)
        cycle(vm, frozen, own)
    finally:
        vm.kill()
    left = [path.name for path in (own.cache / "modules").iterdir()]
    assert len(left) == 1, (seed, left)


OWNER = """
import sys, kmodlab
vm = kmodlab.Machine().start()
print(vm.pid, flush=True)
{then}
"""


def test_a_test_runner_that_is_killed(frozen: KernelBuild, tmp_path: Path) -> None:
    """A test of somebody's own in the middle of a command."""
    reader, writer = os.pipe()
    (tmp_path / "test_own.py").write_text(
        "import os, kmodlab, pathlib\n"
        "def test_it():\n"
        "    with kmodlab.Machine() as vm:\n"
        "        os.write(" + str(writer) + ", f'{vm.pid}\\n'.encode())\n"
        "        vm.run('sleep 1000', timeout=1000)\n"
    )
    try:
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
        with subprocess.Popen(argv, pass_fds=[writer], cwd=tmp_path, stdout=subprocess.DEVNULL) as runner:
            qemu = int(os.read(reader, 100))
            assert Path(f"/proc/{qemu}").exists()
            runner.kill()
    finally:
        for descriptor in (reader, writer):
            os.close(descriptor)
    assert gone(qemu)


def test_qemu_killed_in_the_middle_of_each_verb(frozen: KernelBuild, own: Settings) -> None:
    built = build(kmodlab.ModuleSource.from_text("brief", SOURCE), frozen, settings=own)
    with kmodlab.Machine(frozen) as vm:
        for verb in (
            lambda: vm.run("sleep 100"),
            lambda: [vm.insmod(built), vm.run("sleep 100")],
            lambda: vm.pull("/dev/vda"),
        ):
            assert vm.pid
            timer = threading.Timer(0.2, os.kill, [vm.pid, signal.SIGKILL])
            timer.start()
            with pytest.raises(MachineLost) as caught:
                verb()
            timer.join()
            assert caught.value.reason == "killed"
            assert vm.state is State.LOST
            vm.dmesg()
            vm.reset()
        cycle(vm, frozen, own)


@pytest.mark.parametrize("room", ["aio.py", "process.py", "guest", "machine"])
def test_time_limits_do_not_look_at_the_wall_clock(room: str) -> None:
    """A wall clock that jumps must neither end nor lengthen a wait."""
    place = Path(kmodlab.__file__).parent / room
    files = [place] if place.is_file() else place.rglob("*.py")
    assert not [path.name for path in files if "time.time()" in path.read_text() or "datetime" in path.read_text()]
