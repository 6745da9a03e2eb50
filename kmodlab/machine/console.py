# SPDX-License-Identifier: MIT
"""The serial console of a machine: a file in memory that QEMU appends to and that we read."""

from __future__ import annotations

import asyncio
import os
import time

from kmodlab.records.kmsg import ConsoleParser, KmsgRecord

__all__ = ["Console"]

_PIECE = 1 << 20


class Console:
    """What a machine has printed, kept whole, and read as records of the kernel's log.

    It is a file rather than a pipe or a socket, since only a file holds the last lines of a panic for certain.
    """

    def __init__(self) -> None:
        self._fd = os.memfd_create("kmodlab-console", os.MFD_CLOEXEC)
        self._position = 0
        self._parser = ConsoleParser()
        self._records: list[KmsgRecord] = []

    def writer(self) -> int:
        """Return a new descriptor for QEMU: append-only, as its file back end wants it. The caller closes it."""
        return os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def read(self) -> list[KmsgRecord]:
        """Read what has come since the last call and return *all* records so far."""
        while self._fd >= 0 and (piece := os.pread(self._fd, _PIECE, self._position)):
            self._position += len(piece)
            self._records += self._parser.feed(piece)
        return self._records

    def text(self) -> str:
        """Return everything printed so far, as it came."""
        size = os.fstat(self._fd).st_size
        return os.pread(self._fd, size, 0).decode(errors="replace")

    async def reach(self, log_time: float, timeout: float = 2.0) -> None:
        """Wait until the console holds the record that the kernel logged at `log_time` (seconds since boot).

        The kernel prints a record on the processor that logged it, or on another one that is printing already; in the
        second case it is still on its way when the command that caused it has ended. The wait is rare and short.
        """
        deadline = time.monotonic() + timeout
        while log_time and not self._holds(log_time) and time.monotonic() < deadline:
            await asyncio.sleep(0.001)

    def _holds(self, log_time: float) -> bool:
        records = self.read()
        # Half a microsecond of slack: the console prints whole microseconds.
        return bool(records) and records[-1].seconds >= log_time - 5e-7

    def close(self) -> None:
        """Let go of the file; its memory is freed with the last descriptor. What was read stays readable."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
