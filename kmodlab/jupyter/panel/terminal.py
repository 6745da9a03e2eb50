# SPDX-License-Identifier: MIT
"""The panel's terminal: a shell of the guest, whose output goes to the page in pieces that it can take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from kmodlab import aio
from kmodlab.errors import KmodlabError, MachineLost, MachineStateError
from kmodlab.guest.terminal import Terminal
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.machine.state import State

__all__ = ["TerminalHost"]

_REPLAY = 128 << 10  # bytes of output that a page which comes later gets to see
_PIECE = 64 << 10
_PAUSE = 0.03  # seconds between two pieces: a screen needs no more, and a flood leaves the page time for its reader

Send = Callable[[dict[str, Any], list[bytes]], None]


class TerminalHost:
    """One shell at a time, which outlives the pages that show it; it ends with its machine.

    Args:
        subject: the machine.
        send: takes a message and its bytes, from any thread.
    """

    def __init__(self, subject: Subject, send: Send) -> None:
        self._subject = subject
        self._send = send
        self._terminal: Terminal | None = None
        self._running: Future[None] | None = None
        self._state, self._end = "closed", ""
        self._shown = bytearray()
        self._pending = bytearray()
        self._skipped = 0
        self._flushing = False

    # -- From any thread --------------------------------------------------------------------------------------------

    def open(self, lines: int, columns: int) -> None:
        """Start a shell, unless one runs already."""
        if self._running and not self._running.done():
            return
        session = None
        with contextlib.suppress(MachineStateError):
            vm = self._subject.machine()
            session = vm._session if vm.state is State.RUNNING else None
        if session is None:
            self._tell("closed", "There is no machine that runs.")
            return
        self._shown.clear()
        self._terminal = Terminal(session.channel, self._print)
        self._tell("open")
        work = self._run(self._terminal, lines, columns)
        self._running = asyncio.run_coroutine_threadsafe(work, aio.loop())

    def type(self, text: str) -> None:
        """Hand the shell what the reader has typed."""
        if self._terminal:
            aio.loop().call_soon_threadsafe(self._terminal.type, text.encode())

    def resize(self, lines: int, columns: int) -> None:
        """Tell the shell how large the page shows it."""
        if self._terminal and self._state == "open":
            asyncio.run_coroutine_threadsafe(self._resize(self._terminal, lines, columns), aio.loop())

    def close(self) -> None:
        """End the shell."""
        if self._running:
            self._running.cancel()

    def whole(self) -> None:
        """Tell a page that has just come: the screen first, since the shell's end is written below it."""
        if self._shown:
            self._send({"see": "screen", "again": True}, [bytes(self._shown)])
        self._tell(self._state, self._end)

    # -- In the event loop ------------------------------------------------------------------------------------------

    async def _run(self, terminal: Terminal, lines: int, columns: int) -> None:
        end = "The shell has ended."
        try:
            await terminal.run(lines, columns)
        except asyncio.CancelledError:
            end = "The terminal was closed."
            raise
        except MachineLost:
            end = "The machine has ended, and the shell with it."
        except KmodlabError as error:
            end = str(error)
        finally:
            self._terminal = None
            self._flush()
            self._tell("closed", end)

    async def _resize(self, terminal: Terminal, lines: int, columns: int) -> None:
        try:
            await terminal.resize(lines, columns)
        except KmodlabError:
            return  # the machine has ended, which the shell's own end will say

    def _print(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) > _PIECE:
            self._skipped += len(self._pending) - _PIECE
            del self._pending[:-_PIECE]
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(_PAUSE, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self._pending:
            return
        data = bytes(self._pending)
        if self._skipped:
            # An escape sequence may have been cut: the colours begin anew.
            data = f"\x1b[0m\r\n[{self._skipped} bytes are left out here]\r\n".encode() + data
        self._pending.clear()
        self._skipped = 0
        self._shown += data
        del self._shown[:-_REPLAY]
        self._send({"see": "screen", "again": False}, [data])

    def _tell(self, state: str, end: str = "") -> None:
        self._state, self._end = state, end
        self._send({"see": "terminal", "state": state, "end": end}, [])
