# SPDX-License-Identifier: MIT
"""A machine that nobody talks to stands still, and nobody notices but the host's processors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

import kmodlab
from kmodlab import aio
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.machine.machine import State
from kmodlab.machine.pulse import threads

pytestmark = pytest.mark.machine


@pytest.fixture
def drowsy(frozen: KernelBuild, monkeypatch: pytest.MonkeyPatch) -> Iterator[kmodlab.Machine]:
    """A machine that is stopped after a fifth of a second."""
    monkeypatch.setenv("KMODLAB_IDLE", "0.2")
    kmodlab.settings.cache_clear()
    with kmodlab.Machine(frozen) as vm:
        yield vm
    monkeypatch.undo()
    kmodlab.settings.cache_clear()


def dozes(vm: kmodlab.Machine, seconds: float = 20) -> bool:
    """Whether it stands still within so many seconds."""
    deadline = time.monotonic() + seconds
    while not vm.dozing and time.monotonic() < deadline:
        aio.call(_turn())
    return vm.dozing


async def _turn() -> None:
    """Let the loop do what is due."""


def ran(vm: kmodlab.Machine) -> float:
    return sum(thread.running for thread in threads(vm.pid or 0).values())


def test_it_stands_still_and_goes_on_at_the_next_word(
    drowsy: kmodlab.Machine, lab_module: Callable[[str], ModuleArtifact]
) -> None:
    drowsy.insmod(lab_module("hello"))
    began, before = time.monotonic(), float(drowsy.run(["cut", "-d ", "-f1", "/proc/uptime"]).stdout)
    assert dozes(drowsy)
    used, start = ran(drowsy), time.monotonic()
    other = drowsy.dmesg()
    while time.monotonic() < start + 1:
        assert len(drowsy.dmesg()) == len(other), "its log can be read, and is as it was"
    assert ran(drowsy) - used < 0.05
    assert (drowsy.state, drowsy.dozing) == (State.RUNNING, True)
    assert drowsy.lsmod()[0].name == "hello"
    now = float(drowsy.run(["cut", "-d ", "-f1", "/proc/uptime"]).stdout)
    assert now - before < time.monotonic() - began - 0.9, "its clock stood still while it was left alone"
    assert abs(float(drowsy.run(["date", "+%s.%N"]).stdout) - time.time()) < 1
    assert dozes(drowsy)
    drowsy.rmmod("hello")
    assert not drowsy.suspicions()


def test_it_goes_on_while_something_runs(drowsy: kmodlab.Machine) -> None:
    began = time.monotonic()
    assert drowsy.run("sleep 1; echo done").stdout == "done\n"
    assert time.monotonic() - began < 30


def test_what_only_the_host_does_finds_it_as_it_must_be(drowsy: kmodlab.Machine) -> None:
    assert dozes(drowsy)
    used = ran(drowsy)
    assert drowsy.outside().modules
    assert drowsy.dozing
    assert ran(drowsy) - used < 0.1
    drowsy.pause()
    assert not drowsy.dozing
    drowsy.resume()
    assert drowsy.run("echo on").stdout == "on\n"
    assert dozes(drowsy)
    assert drowsy.reset().run("echo fresh").stdout == "fresh\n"


@pytest.mark.slow
def test_no_watchdog_barks_after_a_long_rest(drowsy: kmodlab.Machine) -> None:
    """The kernel's own limits are 20 s and more."""
    drowsy.run(["true"])
    assert dozes(drowsy)
    used, end = ran(drowsy), time.monotonic() + 70
    while time.monotonic() < end:
        aio.call(_rest())
    assert ran(drowsy) - used < 0.01
    drowsy.run("for i in 1 2 3; do sleep 1; done")
    assert not drowsy.dmesg()
    clocks = "/sys/devices/system/clocksource/clocksource0/"
    assert drowsy.run(["cat", clocks + "current_clocksource"]).stdout == (
        drowsy.reset().run(["cat", clocks + "current_clocksource"]).stdout
    )


async def _rest() -> None:
    await asyncio.sleep(1)
