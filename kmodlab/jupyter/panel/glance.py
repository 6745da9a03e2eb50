# SPDX-License-Identifier: MIT
"""A look into the guest that nobody waits for: its modules, memory, taint and uptime."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from kmodlab import aio
from kmodlab.errors import KmodlabError
from kmodlab.guest.channel import Channel, TaskResult
from kmodlab.guest.session import parse_snapshot
from kmodlab.machine.machine import Machine
from kmodlab.machine.pulse import threads
from kmodlab.records.memory import MemorySnapshot
from kmodlab.records.modules import LoadedModule, parse_modules
from kmodlab.records.taint import Taint, parse_taint

__all__ = ["Glance", "Glancer", "glance_now"]

_PATHS = ("/proc/modules", "/proc/meminfo", "/proc/uptime", "/proc/sys/kernel/tainted")
_PATIENCE = 5.0  # seconds in which a guest answers; one that hangs is asked again
_AT_LEAST = 0.5  # seconds between two looks
_AT_MOST = 6.0  # and at most, of one that has just done something; of one that rests, twice as many each time
_BUSY = {"kvm": 0.002, "tcg": 0.012}
"""Seconds of processor between two beats from which on a guest has done more than tick: by accelerator, since a clock
tick costs more where processors are emulated."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What a guest said of itself.

    Attributes:
        when: this process's clock (`time.monotonic`).
        modules: the rows of ``/proc/modules``.
        used: bytes of memory that are not available.
        total: bytes of memory.
        uptime: seconds since its kernel booted.
        taint: what has happened to its kernel.
    """

    when: float
    modules: tuple[LoadedModule, ...]
    used: int
    total: int
    uptime: float
    taint: Taint

    @classmethod
    def of(cls, done: TaskResult) -> Glance:
        """Return what the agent's ``@snapshot`` printed.

        Raises:
            TransferError, RecordParseError: no kernel prints that.
        """
        files = parse_snapshot(done.stdout)
        text = {path: files.get(path, b"").decode(errors="replace") for path in _PATHS}
        memory = MemorySnapshot.from_files(files, {}).meminfo
        taint = parse_taint(text["/proc/sys/kernel/tainted"])
        uptime = float(text["/proc/uptime"].split()[0])
        total = memory["MemTotal"]
        rows = tuple(parse_modules(text["/proc/modules"]))
        return cls(time.monotonic(), rows, total - memory["MemAvailable"], total, uptime, taint)


def glance_now(vm: Machine) -> Glance | None:
    """Return what a running guest says of itself, or None if it does not answer at once."""
    if vm._session is None:
        return None
    try:
        return Glance.of(aio.call(_question(vm._session.channel), timeout=2))
    except (KmodlabError, TimeoutError, LookupError, ValueError):
        return None


def _question(channel: Channel) -> Coroutine[Any, Any, TaskResult]:
    return channel.task(["@snapshot", *_PATHS], cwd="/", timeout=_PATIENCE)


class Glancer:
    """Asks a guest when it seems to have done something, by the host's own account of its processors.

    An idle guest costs next to nothing this way: its processors' time is read off the host's ``/proc``, and the guest
    itself is asked after six seconds, and then ever more rarely, so that it may doze off.

    Attributes:
        silent: the last question was not answered in time.
    """

    def __init__(self) -> None:
        self.silent = False
        self._asked: Future[TaskResult] | None = None
        self._last = 0.0
        self._busy = 0.0
        self._due = True
        self._rest = _AT_MOST

    def beat(self, vm: Machine, *, stirred: bool) -> Glance | None:
        """Return what the guest has answered since the last beat; ask it if there may be news.

        Args:
            vm: a running machine.
            stirred: it gave a sign of life meanwhile, such as a line of its log.
        """
        at_rest, answer = self._asked is None, self._answer()
        busy = sum(one.running for one in threads(vm.pid or 0).values() if one.processor is not None)
        # A question of ours costs something too, which is no news.
        grown = busy - self._busy > _BUSY.get(vm.accelerator, 0.012) * (1 if at_rest else 4)
        self._busy = busy
        if stirred or grown:
            self._due, self._rest = True, _AT_MOST
        age = time.monotonic() - self._last
        if self._asked is None and ((self._due and age > _AT_LEAST) or age > self._rest):
            self._rest *= 1 if self._due else 2
            self._ask(vm)
        return answer

    def hurry(self) -> None:
        """Ask at the next beat."""
        self._due, self._last = True, 0.0

    def _ask(self, vm: Machine) -> None:
        session = vm._session
        # Who merely looks must not wake a machine that stands still because nobody talks to it.
        if session is not None and not vm.dozing:
            self._due, self._last = False, time.monotonic()
            self._asked = asyncio.run_coroutine_threadsafe(_question(session.channel), aio.loop())

    def _answer(self) -> Glance | None:
        if self._asked is None:
            return None
        if not self._asked.done():
            self.silent = time.monotonic() - self._last > 2.0
            return None
        asked, self._asked = self._asked, None
        try:
            done = asked.result()
            self.silent = done.timed_out or done.stuck
            return None if self.silent else Glance.of(done)
        except (KmodlabError, LookupError, ValueError):  # the machine has ended, or somebody forges its answers
            return None
