# SPDX-License-Identifier: MIT
"""Spare machines: ready when they are asked for, no less fresh than others, and gone when nobody wants them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

import kmodlab
from kmodlab import aio
from kmodlab.build.kernel import KernelBuild
from kmodlab.machine import pool as pools
from kmodlab.machine import provision
from kmodlab.machine.fresh import Fresh
from kmodlab.machine.pool import Pool, ahead, close_pool, expect, pool
from kmodlab.machine.pulse import threads
from kmodlab.machine.template import Template
from tests.conftest import gone
from tests.machine.test_interrupts import interrupt_after

pytestmark = pytest.mark.machine

OWNER = """
import kmodlab, os, sys
from kmodlab import aio
from kmodlab.machine import pool, provision
chosen = kmodlab.settings()
vm = kmodlab.Machine().start()
aio.call(pool.pool().until(provision.template(None, chosen.memory, chosen.cpus)))
print(*pool.pool().pids(), flush=True)
sys.stdin.read()
"""
IDENTITY = "cat /etc/machine-id; cat /sys/class/net/eth0/address; head -c 16 /dev/urandom | od -An -tx1"


@pytest.fixture
def template(frozen: KernelBuild, monkeypatch: pytest.MonkeyPatch) -> Iterator[Template]:
    """A frozen machine of which spares are made at once; at the end there are none."""
    monkeypatch.setenv("KMODLAB_POOL", "2")
    monkeypatch.setattr(pools, "_QUIET", 0)
    kmodlab.settings.cache_clear()
    chosen = kmodlab.settings()
    yield provision.template(frozen, chosen.memory, chosen.cpus)
    close_pool()
    monkeypatch.undo()
    kmodlab.settings.cache_clear()


def wait_for_spare(template: Template, count: int = 1) -> list[int]:
    """Wait until there are so many spares, and return their QEMUs' process ids."""
    aio.call(pool().until(template, count), timeout=120)
    return pool().pids()


def test_a_spare_is_as_fresh_as_any_machine(template: Template) -> None:
    with kmodlab.Machine(template.kernel) as first:
        spare = wait_for_spare(template)
        aio.call(asyncio.sleep(1.1))  # it stands still meanwhile, and must know what time it is afterwards
        with kmodlab.Machine(template.kernel) as second:
            assert [second.pid] == spare
            assert abs(float(second.run(["date", "+%s.%N"]).stdout) - time.time()) < 1
            assert not second.dmesg()
            assert {row.name for row in second.lsmod()} == set(template.modules())
            assert not second.taint()
            assert second.run("ls -A /root /tmp").stdout.split() == ["/root:", "/tmp:"]
            assert second.run("ls /run").stdout == first.run("ls /run").stdout
            assert not set(first.run(IDENTITY).stdout.split("\n")[:2]) & set(second.run(IDENTITY).stdout.split("\n"))
            assert not second.suspicions()


def test_a_spare_costs_no_processor_time(template: Template) -> None:
    with kmodlab.Machine(template.kernel) as vm:
        (spare,) = wait_for_spare(template)
        before = sum(thread.running for thread in threads(spare).values())
        vm.run("head -c 3000000 /dev/urandom | sha256sum")
        assert sum(thread.running for thread in threads(spare).values()) - before < 0.002


def test_a_spare_that_was_killed_is_noticed(template: Template) -> None:
    with kmodlab.Machine(template.kernel) as vm:
        (spare,) = wait_for_spare(template)
        os.kill(spare, signal.SIGKILL)
        assert vm.reset().run("echo well").stdout == "well\n"
        assert vm.pid != spare


def test_as_many_as_are_used_and_none_when_nobody_asks(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    with kmodlab.Machine(template.kernel) as vm:
        wait_for_spare(template)
        vm.reset()
        two = wait_for_spare(template, 2)
        monkeypatch.setattr(pools, "_LONG", 0)
        aio.call(_look(pool()))
        assert pool().spares() == 0
        assert all(gone(pid) for pid in two)


def test_none_where_memory_is_short(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_RESERVE", 1 << 60)
    with kmodlab.Machine(template.kernel):
        aio.call(_look(pool()))
        assert pool().spares() == 0


async def _look(spares: Pool) -> None:
    """Have the pool look after its spares now, and wait until it has."""
    spares._look()
    assert spares._work
    await asyncio.wait({spares._work})


def _child(ours: Connection, template: Template) -> None:
    with kmodlab.Machine(template.kernel) as vm:
        ours.send((pool().pids(), vm.run("echo child").stdout))


def test_a_forked_child_leaves_its_parent_s_spares_alone(template: Template) -> None:
    with kmodlab.Machine(template.kernel) as vm:
        spare = wait_for_spare(template)
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(target=_child, args=(theirs, template))
        child.start()
        assert ours.poll(60)
        assert ours.recv() == ([], "child\n")
        child.join(60)
        child.close()
        ours.close(), theirs.close()
        vm.reset()
        assert [vm.pid] == spare
        assert vm.run("echo parent").stdout == "parent\n"


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_spares_end_with_their_process(template: Template, end: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdin
        assert owner.stdout
        spares = [int(word) for word in owner.stdout.readline().split()]
        assert spares
        if end == "kill":
            owner.kill()
        owner.stdin.close()
    assert all(gone(pid) for pid in spares)


@pytest.mark.slow
def test_interrupts_while_spares_are_made_and_taken(template: Template) -> None:
    vm = kmodlab.Machine(template.kernel)
    for number in range(60):
        with interrupt_after(0.03 + 0.01 * (number % 30)):
            for _ in range(20):
                vm.reset()
                vm.run(["true"])
    assert vm.reset().run("echo well").stdout == "well\n"
    vm.kill()


def test_a_spare_in_the_making_goes_to_who_wants_it(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `%load_ext kmodlab` begins is the first machine, however soon that is wanted."""
    begun: list[Template] = []
    begin = Fresh.begin

    async def counted(fresh: Fresh) -> None:
        begun.append(fresh.template)
        await begin(fresh)

    monkeypatch.setattr(Fresh, "begin", counted)
    monkeypatch.setattr(pools, "_QUIET", 600)
    monkeypatch.setattr(pools, "_AGAIN", 600)
    template.memory()
    aio.call(_expected(template))
    with kmodlab.Machine(template.kernel) as vm:
        assert vm.run("echo well").stdout == "well\n"
        assert begun == [template]
        aio.call(pool().settle(), timeout=60)
        assert pool().spares() == 0


async def _expected(template: Template) -> None:
    pool().expect(template)
    await asyncio.sleep(0)  # the making has begun
    await asyncio.sleep(0)


def test_a_spare_is_ready_before_the_first_machine(template: Template) -> None:
    expect()
    (spare,) = wait_for_spare(template)
    with kmodlab.Machine(template.kernel) as vm:
        assert vm.pid == spare
        assert wait_for_spare(template) != [spare]
        assert pool().spares() == 1


def test_none_is_expected_where_there_shall_be_none(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMODLAB_POOL", "0")
    kmodlab.settings.cache_clear()
    expect()
    assert pool().spares() == 0
    assert not pools._expecting


def test_a_machine_that_is_begun_ahead_is_taken_or_ended(frozen: KernelBuild) -> None:
    for _ in range(2):
        with ahead(frozen), kmodlab.Machine(frozen) as vm:
            assert vm.run("echo well").stdout == "well\n"
            with kmodlab.Machine(frozen) as second:
                assert second.pid != vm.pid
    with ahead(frozen):
        pass  # and `nothing_left` looks whether it has ended
    with pytest.raises(ZeroDivisionError), ahead(frozen):
        1 / 0
