# SPDX-License-Identifier: MIT
"""Spare machines of this process: clones that are ready before somebody asks for one, and stopped until then.

A spare costs memory (some 40 MB) and no processor time. How many there are follows from use: as many as were taken
within the last minute, at least one while machines are used at all, none when nobody has taken one for some minutes,
and never so many that memory gets short. They are made while nobody asks for a machine, and end with this process.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from kmodlab import aio
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import KmodlabError, MachineError, TransferError
from kmodlab.host import kernels
from kmodlab.machine import provision
from kmodlab.machine.fresh import Fresh
from kmodlab.machine.template import Template
from kmodlab.machine.turns import Busy, turn

__all__ = ["Pool", "ahead", "close_pool", "expect", "pool"]

_QUIET = 0.7  # seconds without a start after which spares are made: whoever just started a machine uses it first
_RECENT = 60.0  # seconds within which each start means one spare
_LONG = 300.0  # seconds without a start after which there are none
_AGAIN = 1.0  # seconds until the next look where others were at it
_RESERVE = 1 << 30  # bytes of memory that stay free


class Pool:
    """The spares of one process. All of it happens in kmodlab.aio's loop, so nothing needs a lock."""

    def __init__(self) -> None:
        self._spares: list[Fresh] = []
        self._starts: deque[tuple[float, Template]] = deque(maxlen=64)
        self._expected: tuple[float, Template] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._ahead: dict[Path, asyncio.Task[Fresh]] = {}

    async def take(self, template: Template) -> Fresh | None:
        """Return a spare that is running again, or one in the making as soon as it runs; None if there is neither.

        It belongs to the caller now.
        """
        while spare := next((one for one in self._spares if one.template == template), None):
            self._spares.remove(spare)
            try:
                await spare.wake()
            except MachineError:  # somebody has ended it
                await spare.end()
            except BaseException:
                await spare.end()
                raise
            else:
                return spare
        if begun := self._ahead.pop(template.folder, None):
            return await begun
        return None

    def begin_ahead(self, template: Template) -> None:
        """Begin a machine that somebody will want in a moment; `take` waits for it."""
        if not self.spares(template) and template.folder not in self._ahead:
            self._ahead[template.folder] = asyncio.get_running_loop().create_task(_begun(template))

    async def end_ahead(self, template: Template) -> None:
        """End the machine that was begun ahead, if nobody took it."""
        if begun := self._ahead.pop(template.folder, None):
            begun.cancel()
            with contextlib.suppress(asyncio.CancelledError, MachineError, TransferError, OSError):
                await (await begun).end()

    def note_start(self, template: Template) -> None:
        """Take note that a machine was started, and look after the spares when it has become quiet."""
        if settings().pool > 0:
            if self._expected and self._expected in self._starts:  # that was this one
                self._starts.remove(self._expected)
            self._starts.append((asyncio.get_running_loop().time(), template))
            self._look_in(_QUIET)

    def expect(self, template: Template) -> None:
        """Have a spare made now: somebody will soon start the first machine."""
        if settings().pool > 0 and not self._starts:
            self._expected = (asyncio.get_running_loop().time(), template)
            self._starts.append(self._expected)
            self._look()

    def spares(self, template: Template | None = None) -> int:
        """Return how many spares there are."""
        return sum(1 for one in self._spares if template in (None, one.template))

    def pids(self) -> list[int]:
        """Return the process ids of the spares' QEMUs."""
        return [spare.emulator.pid for spare in self._spares if spare.emulator.pid]

    async def until(self, template: Template, count: int = 1) -> None:
        """Wait until there are so many spares; for measurements and tests."""
        while self.spares(template) < count:
            self._changed.clear()
            await self._changed.wait()

    async def settle(self) -> None:
        """Wait until no spare is in the making."""
        while (work := self._work) and not work.done():
            await asyncio.wait({work})

    async def close(self) -> None:
        """End all spares, and make no more until a machine is started."""
        if self._timer:
            self._timer.cancel()
        self._starts.clear()
        if work := self._work:
            work.cancel()
            await asyncio.wait({work})
        await self._drop(list(self._spares))

    # -- Inside -----------------------------------------------------------------------------------------------------

    def _look_in(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._tend())

    async def _tend(self) -> None:
        """Make what is missing and end what is too much; then look again when that may have changed."""
        now = asyncio.get_running_loop().time()
        while self._starts and now - self._starts[0][0] > _LONG:
            self._starts.popleft()
        templates = {template.folder: template for _, template in self._starts}
        await self._drop([one for one in self._spares if one.emulator.lost or one.template.folder not in templates])
        for template in templates.values():
            wanted = self._wanted(template, now)
            await self._drop([one for one in self._spares if one.template == template][wanted:])
            try:
                while self.spares(template) < wanted and _has_room(template):
                    await self._add(template)
            except Busy:
                self._look_in(_AGAIN)
                return
            except (MachineError, TransferError, OSError):  # whoever starts a machine next is told what is wrong
                continue
        if self._starts:
            self._look_in(min(_RECENT, self._starts[0][0] + _LONG - now + 1))

    def _wanted(self, template: Template, now: float) -> int:
        recent = sum(1 for when, one in self._starts if one == template and now - when < _RECENT)
        return min(settings().pool, max(1, recent))

    async def _add(self, template: Template) -> None:
        """Make a spare.

        Raises:
            Busy: others are at it, or somebody has taken it before it was ready.
        """
        async with turn(wait=False):
            pass
        if template.folder in self._ahead:
            raise Busy
        begun = self._ahead[template.folder] = asyncio.get_running_loop().create_task(_begun(template))
        try:
            await asyncio.wait({begun})
        except asyncio.CancelledError:
            if self._ahead.get(template.folder) is begun:
                await self.end_ahead(template)
            raise
        if self._ahead.get(template.folder) is not begun:
            raise Busy
        del self._ahead[template.folder]
        spare = begun.result()
        try:
            await spare.warm()
            await spare.rest()
        except BaseException:
            await spare.end()
            raise
        self._spares.append(spare)
        self._changed.set()

    async def _drop(self, spares: list[Fresh]) -> None:
        for spare in spares:
            self._spares.remove(spare)
        await asyncio.gather(*(spare.end() for spare in spares))


async def _begun(template: Template) -> Fresh:
    """Begin a machine; what goes wrong leaves nothing."""
    fresh = Fresh(template)
    try:
        await fresh.begin()
    except BaseException:
        await fresh.end()
        raise
    return fresh


def _has_room(template: Template) -> bool:
    """Whether a machine that fills all its memory would leave this computer enough (``/proc/meminfo``)."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return found is not None and int(found[1]) * 1024 > _RESERVE + (template.hardware.memory << 20)


_pools: list[tuple[int, Pool]] = []


def pool() -> Pool:
    """Return this process' pool; a forked child has one of its own, and leaves its parent's alone."""
    if not _pools or _pools[-1][0] != os.getpid():
        _pools.append((os.getpid(), Pool()))
    return _pools[-1][1]


@contextlib.contextmanager
def ahead(kernel: KernelBuild, memory: int | None = None, cpus: int | None = None) -> Iterator[None]:
    """Bring up a machine while the block does something else, such as a build.

    The first machine of this kind that is started in the block gets it. Where its frozen machine is not made yet, or
    nobody starts one in the block, all is as if this had not been.
    """
    chosen = settings()
    template = provision.ready_template(kernel, memory or chosen.memory, cpus or chosen.cpus)
    if template is None:
        yield
        return
    try:
        with contextlib.suppress(KmodlabError):  # damage is told, and mended, when a machine is started
            template.memory()
            aio.call(_in_loop(pool().begin_ahead, template))
        yield
    finally:
        aio.call(pool().end_ahead(template))


async def _in_loop(work: Callable[[Template], None], template: Template) -> None:
    work(template)


_expecting: list[threading.Thread] = []


def expect() -> None:
    """Have a spare of the default machine made in the background, if its frozen machine is there; return at once.

    Whoever wants a machine meanwhile gets that one, as soon as it runs.
    """
    if settings().pool > 0:
        _expecting.append(threading.Thread(target=_expect, name="kmodlab-expect", daemon=True))
        _expecting[-1].start()


def _expect() -> None:
    chosen = settings()
    with contextlib.suppress(KmodlabError):  # what is wrong is told when a machine is started
        template = provision.ready_template(kernels.default_kernel(), chosen.memory, chosen.cpus)
        if template is not None:
            template.memory()
            aio.call(_in_loop(pool().expect, template))


@atexit.register
def close_pool() -> None:
    """End this process' spares."""
    while _expecting:
        _expecting.pop().join(20)
    if _pools and _pools[-1][0] == os.getpid():
        with contextlib.suppress(TimeoutError):
            aio.call(pool().close(), timeout=20)
