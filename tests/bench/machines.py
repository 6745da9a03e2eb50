# SPDX-License-Identifier: MIT
"""Figures of machines: how fast a fresh one is there, how fast a module is in it, what one costs."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import Row, row, seconds_of

import kmodlab
from kmodlab import aio
from kmodlab.errors import MachineLost
from kmodlab.guest.session import Session
from kmodlab.machine import frozen, provision
from kmodlab.machine import pool as pools
from kmodlab.machine.emulator import BootFiles, Emulator
from kmodlab.machine.machine import State
from kmodlab.machine.template import Template, boot_arguments
from kmodlab.resources import resource

__all__ = [
    "await_spare",
    "clone",
    "clone_pooled",
    "cold_boot",
    "exec_time",
    "fresh_after_panic",
    "frozen_machine",
    "insmod",
    "memory_per_machine",
    "pooled_machine",
    "private_megabytes",
]

_CROWD = 20


def frozen_machine() -> Template:
    """Return the template of the default machine, made and loaded; there are no spares of it."""
    _allow_spares(0)
    chosen = kmodlab.settings()
    template = provision.template(None, chosen.memory, chosen.cpus)
    template.memory()
    return template


def clone() -> Iterator[Row]:
    """A fresh machine until its first command is answered, beside a cold boot of the same kernel and image."""
    template = frozen_machine()
    fresh, cold = [], []
    for number in range(9):
        vm = kmodlab.Machine(template.kernel)
        fresh.append(seconds_of(lambda vm=vm: vm.start().check(["true"])))  # type: ignore[misc]
        vm.kill()
        if number % 3 == 0:
            cold.append(seconds_of(lambda: cold_boot(template)))
    yield row("clone", "s", 0.20, fresh, peer="a cold boot", peer_values=cold)


def clone_pooled() -> Iterator[Row]:
    """A machine of the pool, from asking for it until its first command is answered."""
    template = frozen_machine()
    taken, answered = [], []
    with pooled_machine(template) as vm:
        for _ in range(15):
            await_spare(template)
            vm.kill()
            taken.append(seconds_of(vm.start))
            answered.append(taken[-1] + seconds_of(lambda: vm.check(["true"])))
    note = f"its first command is answered after {statistics.median(answered):.3f} s"
    yield row("clone_pooled", "s", 0.03, taken, note=note)


@contextlib.contextmanager
def pooled_machine(template: Template) -> Iterator[kmodlab.Machine]:
    """A machine, with a pool beside it that is filled at once; elsewhere there is none, so that starts are starts."""
    quiet, pools._QUIET = pools._QUIET, 0.0
    _allow_spares(2)
    try:
        with kmodlab.Machine(template.kernel) as vm:
            yield vm
    finally:
        pools.close_pool()
        pools._QUIET = quiet
        _allow_spares(0)


def _allow_spares(number: int) -> None:
    os.environ["KMODLAB_POOL"] = str(number)
    kmodlab.settings.cache_clear()


def await_spare(template: Template) -> None:
    """Wait until there is a spare and none in the making, as when a human has read what the last machine said."""
    aio.call(pools.pool().until(template, 1), timeout=60)
    aio.call(pools.pool().settle(), timeout=60)


def fresh_after_panic() -> Iterator[Row]:
    """After a panic, from asking for a fresh machine until its first command is answered."""
    kernel = frozen_machine().kernel
    runs = []
    with kmodlab.Machine(kernel) as vm:
        for _ in range(20):
            with contextlib.suppress(MachineLost):
                vm.run("echo c >/proc/sysrq-trigger")
            assert vm.state is State.LOST
            runs.append(seconds_of(lambda: vm.reset().check(["true"])))
    yield row("fresh_after_panic", "s", 0.30, runs)


def cold_boot(template: Template, work: Callable[[Emulator, Session], object] | None = None) -> None:
    """Boot the same kernel and image as one would without a template, up to a first command, and do some work then."""
    emulator = Emulator(template.hardware)
    boot = BootFiles(template.kernel.image, template.image.initramfs, boot_arguments(template.hardware))
    memory = frozen.new_memory(template.hardware.memory)
    try:
        aio.call(emulator.start(memory, template.image.root, boot), timeout=60)
        session = Session.open(emulator.agent, timeout=60)
        session.run(["true"])
        if work:
            work(emulator, session)
        session.close()
    finally:
        aio.call(emulator.stop())
        os.close(memory)


def exec_time() -> Iterator[Row]:
    """A command of the guest, from asking for it until its output is in Python."""
    with kmodlab.Machine(frozen_machine().kernel) as vm:
        vm.check("echo")
        yield row("exec", "s", 0.02, [seconds_of(lambda: vm.check(["echo"])) for _ in range(30)])


def insmod() -> Iterator[Row]:
    """A built module until its log line is in Python, each time in a fresh machine."""
    kernel = frozen_machine().kernel
    hello = kmodlab.build(resource("lab_modules") / "hello", kernel)
    runs = []
    for _ in range(9):
        with kmodlab.Machine(kernel) as vm:

            def load(vm: kmodlab.Machine = vm) -> None:
                vm.insmod(hello)
                assert vm.dmesg().containing("hello:")

            runs.append(seconds_of(load))
    yield row("insmod", "s", 0.15, runs)


def memory_per_machine() -> Iterator[Row]:
    """Private memory of each of twenty machines that have each loaded a module, from /proc/PID/smaps_rollup."""
    kernel = frozen_machine().kernel
    hello = kmodlab.build(resource("lab_modules") / "hello", kernel)
    machines = [kmodlab.Machine(kernel) for _ in range(_CROWD)]
    try:
        for vm in machines:
            vm.start().insmod(hello)
        sizes = [private_megabytes(vm.pid) for vm in machines]
    finally:
        for vm in machines:
            vm.kill()
    note = f"{_CROWD} at once, {sum(sizes):.0f} MB in all; largest {max(sizes):.0f}"
    yield row("memory_per_machine", "MB", 45, [statistics.mean(sizes)], note=note)


def private_megabytes(pid: int | None) -> float:
    """Return the memory that a process shares with nobody (``/proc/PID/smaps_rollup``)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) * 1024 / 1e6
