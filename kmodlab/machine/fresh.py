# SPDX-License-Identifier: MIT
"""From a frozen machine to a clone that can be used: QEMU, the frozen state, the agent, an identity of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
from functools import cache as once

from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import MachineError, MachineLost
from kmodlab.guest.channel import Channel
from kmodlab.guest.identity import identify, set_clock
from kmodlab.guest.session import Session
from kmodlab.machine import provision, turns
from kmodlab.machine.emulator import Emulator
from kmodlab.machine.template import Template
from kmodlab.records.elf import unpacked
from kmodlab.records.kmsg import parse_console

__all__ = ["Fresh"]

_PATIENCE = 90.0  # seconds that it may take on a computer with very much to do
# What a spare does beforehand: an emulator translates code when it is first run, and that is most of a first step.
_WARM_FILE = "/run/kmodlab-warm.ko"
_WARM_MODULE = "crc8"  # of the kernel's own tree; it does nothing, logs nothing and leaves nothing
_WARM_UP = f"rm {_WARM_FILE}; cat /proc/modules | grep -c . ; ls /; true"


class Fresh:
    """A clone that nobody has used. Its coroutines run in kmodlab.aio's loop.

    Attributes:
        template: what it is a clone of; its memory must have been loaded into this process.
        emulator, session: the machine, and the connection to it.
    """

    def __init__(self, template: Template) -> None:
        self.template = template
        self.emulator = Emulator(template.hardware)
        self.session = Session(Channel(self.emulator.agent))

    async def begin(self) -> None:
        """Start QEMU, restore the frozen state, and make the guest one of its own.

        Raises:
            MachineError: QEMU refused, the guest does not answer, or this computer gave them no time.
        """
        try:
            async with asyncio.timeout(_PATIENCE), turns.turn():
                await self._begin()
        except TimeoutError:
            words = f"not there after {_PATIENCE:g} s"
            raise MachineError(f"start machine: {words}; try again when this computer has less to do") from None

    async def _begin(self) -> None:
        await self.emulator.start(self.template.memory(), self.template.image.root, boot=None)
        self.emulator.console.follow(_log_end(self.template))
        state = self.template.open_state()
        try:
            await self.emulator.restore(state)
        finally:
            os.close(state)
        try:
            await self.session.channel.hello(_PATIENCE)
        except MachineLost:
            words = self.emulator.complaint() or "the clone does not answer"
            raise MachineError(f"start machine: {words}; try again, or run ./lab setup") from None
        await identify(self.session.channel)

    async def warm(self) -> None:
        """Run once what a user does first: write a file, load and unload a module, start programs."""
        channel = self.session.channel
        module = _warm_module(self.template.kernel)
        await channel.task(["@insmod", _WARM_FILE, "644", "", "0"], stdin=module, cwd="/")
        await channel.task(["@delete", _WARM_MODULE, str(os.O_NONBLOCK)], cwd="/")
        await channel.task(["bash", "-c", _WARM_UP], cwd="/")

    async def rest(self) -> None:
        """Stop it, so that it costs no processor time."""
        await self.emulator.pause()

    async def wake(self) -> None:
        """Let it run on, at the time that it is now.

        Raises:
            MachineError: it has ended meanwhile.
        """
        await self.emulator.resume()
        set_clock(self.session.channel)

    async def end(self) -> None:
        """End it."""
        self.session.channel.close()
        with contextlib.suppress(MachineError):
            await self.emulator.stop()


@once
def _log_end(template: Template) -> float:
    """When the frozen machine logged its last line: a clone that has logged nothing itself has that as its newest."""
    return max((record.seconds for record in parse_console(template.console().decode(errors="replace"))), default=0.0)


@once
def _warm_module(kernel: KernelBuild) -> bytes:
    try:
        return unpacked(provision.tree_path(kernel, _WARM_MODULE).read_bytes())
    except OSError:  # loading fails then, which warms half of the way
        return b""
