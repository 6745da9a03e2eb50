# SPDX-License-Identifier: MIT
"""Hangs: each is found, with its function and line; a host that is busy or was paused makes none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import CommandTimeout, KernelHang, MachineLost
from kmodlab.machine.hang import Watched, watch
from kmodlab.machine.machine import State
from kmodlab.machine.pulse import Pulse, threads
from kmodlab.resources import resource
from kmodlab.verdict.trial import try_module

pytestmark = [pytest.mark.machine, pytest.mark.build]

SOURCE = Path(__file__).with_name("hangs.c")
FUNCTIONS = {
    "loop": "spin",
    "deadlock": "take_twice",
    "interrupts": "spin_silently",
    "everywhere": "spin_silently",
    "sleep": "wait_on",
    "signal": "wait_on_signal",
}
WORDS = {
    "loop": "endless loop",
    "deadlock": "deadlock on a spinlock",
    "interrupts": "endless loop with interrupts off",
    "everywhere": "endless loop with interrupts off",
    "sleep": "sleeping for ever",
    "signal": "sleeping for ever",
}


def lines_of(how: str) -> set[int]:
    text = SOURCE.read_text().splitlines()
    mark = "interrupts" if how == "everywhere" else how
    return {number for number, line in enumerate(text, 1) if line.endswith(f"/* {mark} */")}


@pytest.fixture(scope="module")
def module(kernel: KernelBuild) -> ModuleArtifact:
    return kmodlab.build(SOURCE, kernel)


@pytest.mark.parametrize(
    ("how", "at"),
    [
        ("loop", "init"),
        ("deadlock", "read"),
        ("interrupts", "exit"),
        ("everywhere", "init"),
        ("sleep", "exit"),
        ("signal", "read"),
        pytest.param("loop", "read", marks=pytest.mark.slow),
        pytest.param("loop", "exit", marks=pytest.mark.slow),
        pytest.param("deadlock", "init", marks=pytest.mark.slow),
        pytest.param("interrupts", "read", marks=pytest.mark.slow),
        pytest.param("sleep", "init", marks=pytest.mark.slow),
        pytest.param("sleep", "read", marks=pytest.mark.slow),
        pytest.param("signal", "init", marks=pytest.mark.slow),
    ],
)
def test_a_hang_is_found_with_its_line(frozen: KernelBuild, how: str, at: str) -> None:
    lines = ["cat /dev/hangs"] if at == "read" else []
    verdict = try_module(SOURCE, {"how": how, "at": at}, lines, frozen, timeout=3, ledger=False)
    step = {"init": "was loaded", "exit": "was unloaded", "read": "`cat /dev/hangs` ran"}[at]
    assert verdict.verdict == "hung", str(verdict)
    assert verdict.title.startswith(f"{WORDS[how]} in {FUNCTIONS[how]}, while")
    assert verdict.title.endswith(step)
    assert verdict.where
    assert (verdict.where.file, verdict.where.function) == ("hangs.c", FUNCTIONS[how])
    assert verdict.where.line in lines_of(how)
    assert verdict.reports[0].kind == "hang"
    assert verdict.exit_status == 1


@pytest.mark.parametrize(
    ("how", "at", "lost"),
    [
        ("loop", "init", True),
        ("sleep", "exit", True),
        ("interrupts", "read", True),
        ("signal", "read", False),
        pytest.param("deadlock", "exit", True, marks=pytest.mark.slow),
        pytest.param("everywhere", "init", True, marks=pytest.mark.slow),
        pytest.param("signal", "init", False, marks=pytest.mark.slow),
    ],
)
def test_a_machine_says_what_hangs_in_it(
    machine: kmodlab.Machine, module: ModuleArtifact, how: str, at: str, lost: bool
) -> None:
    """As in a trial, wherever a module is used; a machine of no more use is stopped, and the next one is fresh."""
    machine.patience = 4
    with pytest.raises(KernelHang) as caught:
        machine.insmod(module, how=how, at=at)
        if at == "read":
            machine.run("echo before; cat /dev/hangs", timeout=3)
        machine.rmmod("hangs")
    error = caught.value
    done = {"init": "insmod hangs.ko", "read": "run echo before; cat /dev/hangs", "exit": "rmmod hangs"}[at]
    assert str(error).startswith(f"{done}: {WORDS[how]} in {FUNCTIONS[how]} at hangs.c:")
    assert error.report.kind == "hang"
    assert error.report.where
    assert error.report.where.line in lines_of(how)
    assert error.stdout == ("before\n" if at == "read" else "")
    assert error.stuck == lost
    assert not any("backtrace" in record.text for record in error.records)
    if lost:
        assert machine.state is State.LOST
        assert machine.dmesg()
        with pytest.raises(MachineLost, match="no longer answers"):
            machine.lsmod()
        machine.reset()
    assert machine.run("echo here").stdout == "here\n"


def test_a_hang_is_not_the_oops_that_was_expected(machine: kmodlab.Machine, module: ModuleArtifact) -> None:
    machine.patience = 3
    with pytest.raises(AssertionError, match="no fault, but a hang: insmod"), machine.expect_oops():
        machine.insmod(module, how="interrupts", at="init")


def test_a_command_that_takes_long_leaves_the_log_alone(machine: kmodlab.Machine) -> None:
    with pytest.raises(CommandTimeout, match="give it a longer timeout") as caught:
        machine.run("echo begun; sleep 600", timeout=0.5)
    assert not isinstance(caught.value, KernelHang)
    assert caught.value.stdout == "begun\n"
    assert not machine.dmesg().containing("acktrace")
    assert machine.run("pgrep -c sleep || true").stdout == "0\n"


def run(vm: kmodlab.Machine, line: str, limit: float) -> Watched:
    assert vm._emulator
    assert vm._session
    return watch(vm._emulator, vm._session.channel, ["bash", "-c", line], limit=limit, own=("hangs",))


def test_a_long_init_is_no_hang(frozen: KernelBuild) -> None:
    verdict = try_module(SOURCE, {"how": "long"}, kernel=frozen, timeout=10, ledger=False)
    assert verdict.verdict == "clean", str(verdict)


def test_a_program_that_does_not_end_is_not_the_modules_fault(frozen: KernelBuild) -> None:
    verdict = try_module(SOURCE, exec=["while :; do :; done"], kernel=frozen, timeout=2, ledger=False)
    assert verdict.verdict == "clean", str(verdict)
    assert [finding.kind for finding in verdict.findings] == ["exec-failed"]
    assert verdict.exec[0].exit_status is None
    assert verdict.exit_status == 1


def test_a_machine_that_was_stopped_is_not_hung(machine: kmodlab.Machine) -> None:
    """QEMU stands still for six seconds, twice as long as the limit, while the guest computes."""
    pid = machine.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(6, os.kill, (pid, signal.SIGCONT))
    timer.start()
    try:
        watched = run(machine, "i=0; while ((i < 30000)); do ((i += 1)); done; echo $i", 3)
    finally:
        os.kill(pid, signal.SIGCONT)
        timer.join()
    assert watched.stall is None
    assert watched.result
    assert watched.result.stdout == b"30000\n"
    assert watched.pulse.wall > 5
    assert watched.pulse.lived < 4
    assert watched.pulse.starved
    assert not machine.reports()


def test_time_is_counted_by_processor(machine: kmodlab.Machine) -> None:
    assert machine.pid
    names = sorted(thread.name for thread in threads(machine.pid).values() if thread.processor is not None)
    assert len(names) == 2
    watched = run(machine, "while :; do :; done", 1)
    assert watched.stall
    assert not watched.stall.culprit
    assert max(watched.pulse.busy.values()) > 0.5 * watched.pulse.lived


def test_nobody_lives_in_a_process_that_is_gone() -> None:
    pulse = Pulse(None)
    pulse.beat()
    assert threads(2**22 + 1) == {}
    assert pulse.busy == {}


@pytest.fixture
def busy_host() -> Iterator[None]:
    """Two programs that compute for each processor of this computer, as long as the test lasts."""
    count = 2 * len(os.sched_getaffinity(0))
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


@pytest.mark.usefixtures("busy_host")
@pytest.mark.parametrize("count", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_no_good_module_hangs_on_a_busy_host(frozen: KernelBuild, count: int) -> None:
    folders = [resource("lab_modules") / name for name in ("hello", "scribble", "notefs", "loopnic", "exporter")]
    chosen = [folders[number % len(folders)] for number in range(count)]
    verdicts = [try_module(folder, kernel=frozen, timeout=3, ledger=False) for folder in chosen]
    assert [verdict.verdict for verdict in verdicts] == ["clean"] * count
