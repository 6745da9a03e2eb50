# SPDX-License-Identifier: MIT
"""A machine that nobody talks to is stopped, so that it costs no processor time, and runs on at the next word.

Its own clock stands still meanwhile, so nothing in it is late and no watchdog barks; its wall clock is set again. A
word is any task that is asked of its agent, of whichever part of kmodlab; while a task runs it is never stopped. Its
log can be read all the time.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING

from kmodlab.config import settings
from kmodlab.guest.channel import Channel
from kmodlab.guest.identity import set_clock
from kmodlab.machine.emulator import Emulator

if TYPE_CHECKING:
    from kmodlab.machine.clone import Clone

__all__ = ["Doze"]

_SOONEST = 0.05


class Doze:
    """Watches one running machine; made, and called, in kmodlab.aio's loop."""

    def __init__(self, machine: Clone, emulator: Emulator, channel: Channel) -> None:
        """Begin to watch; with the setting ``idle`` at 0 nothing is ever stopped."""
        self._machine = weakref.ref(machine)
        self._after = settings().idle
        self._looks = False  # whether a look is due
        if self._after > 0:
            channel.before_word = lambda: self._wake(emulator, channel)
            self._look_in(self._after)

    def _look_in(self, seconds: float) -> None:
        # What waits holds no machine: one that nobody wants any more must go at once.
        self._looks = True
        asyncio.get_running_loop().call_later(max(seconds, _SOONEST), self._look)

    def _look(self) -> None:
        machine, self._looks = self._machine(), False
        emulator, session = (machine._emulator, machine._session) if machine else (None, None)
        if machine is None or emulator is None or session is None or session.channel.closed:
            return
        quiet = time.monotonic() - session.channel.spoken
        if quiet < self._after:
            self._look_in(self._after - quiet)
        elif session.channel.busy or machine.state.value != "running":
            self._look_in(self._after / 4)
        else:
            self._task = asyncio.ensure_future(emulator.doze())

    def _wake(self, emulator: Emulator, channel: Channel) -> None:
        """Before a word: whatever is sent now is read when the machine runs again, the new time first."""
        if emulator.dozing:
            self._task = asyncio.ensure_future(emulator.resume())
            set_clock(channel)
        if not self._looks:
            self._look_in(self._after)
