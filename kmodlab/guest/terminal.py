# SPDX-License-Identifier: MIT
"""A shell on a pseudo-terminal of the guest, typed into and read from the host."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

from kmodlab.guest.channel import Channel

__all__ = ["Terminal", "terminal_argv"]


def terminal_argv(lines: int, columns: int, note: str = "/dev/null") -> list[str]:
    """Return the command that runs a login shell on a pseudo-terminal of this size.

    Args:
        lines: its height.
        columns: its width.
        note: the guest's file into which the terminal's path is written.
    """
    # `script` makes the terminal: the agent gives a task pipes.
    setup = f"tty >{note}; stty rows {lines} cols {columns}; exec bash -l"
    return ["script", "-qefc", setup, "/dev/null"]


class Terminal:
    """A shell on a terminal of its own; all of it belongs to one event loop.

    Args:
        channel: the connection to the guest.
        on_output: called in the event loop with each piece that the terminal prints.
    """

    def __init__(self, channel: Channel, on_output: Callable[[bytes], object]) -> None:
        self._channel = channel
        self._on_output = on_output
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._note = f"/run/kmodlab-terminal-{secrets.token_hex(4)}"

    async def run(self, lines: int, columns: int) -> int | None:
        """Run the shell until it ends and return its status, see `TaskResult`.

        Raises:
            MachineLost: the machine ended.
        """
        done = await self._channel.task(
            terminal_argv(lines, columns, self._note),
            stdin=self._pieces(),
            env={"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            keep=False,
            on_output=lambda _, data: self._on_output(data),
        )
        return done.exit_status

    def type(self, data: bytes) -> None:
        """Hand the shell what somebody has typed."""
        self._typed.put_nowait(data)

    async def resize(self, lines: int, columns: int) -> None:
        """Tell the terminal its size; the kernel passes the news on to what runs there (SIGWINCH).

        Raises:
            MachineLost: the machine ended.
        """
        change = 'exec stty -F "$(cat "$0")" rows "$1" cols "$2"'
        await self._channel.task(["bash", "-c", change, self._note, str(lines), str(columns)], timeout=5)

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            yield await self._typed.get()
