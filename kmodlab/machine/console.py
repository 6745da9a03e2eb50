# SPDX-License-Identifier: MIT
"""The serial console of a machine: a file in memory that QEMU appends to and that we read."""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
import time
from collections import deque

from kmodlab.records.kmsg import ConsoleParser, KmsgRecord

__all__ = ["Console"]

_PIECE = 1 << 20
_BACKLOG = 8 << 20  # unread bytes beyond which a flood is skipped rather than parsed
_KEPT_BYTES = 4 << 20  # of a flood, so many of its newest bytes are parsed
_KEPT = 20_000  # records kept from the beginning, and as many from the end
_NOTICE_LEVEL = 4

# From linux/falloc.h; Python has no fallocate() with a mode.
_PUNCH_HOLE = 0x02 | 0x01
_libc = ctypes.CDLL(None, use_errno=True)


class Console:
    """What a machine has printed, read as records of the kernel's log.

    It is a file rather than a pipe or a socket, since only a file holds the last lines of a panic for certain. A guest
    that floods it costs a bounded amount of memory: what was read is given back, and of a long log the beginning and
    the end are kept, with one record in between that says how much is missing.

    Records are numbered from 0 as they come, also those that are not kept: `mark` is the number of the next one.
    """

    def __init__(self) -> None:
        self._fd = os.memfd_create("kmodlab-console", os.MFD_CLOEXEC)
        self._lock = threading.RLock()  # cells, the panel and the event loop read side by side
        self._position = 0
        self._parser = ConsoleParser()
        self._head: list[KmsgRecord] = []
        self._tail: deque[KmsgRecord] = deque(maxlen=_KEPT)
        self._count = 0
        self._before = 0.0

    def follow(self, log_time: float) -> None:
        """Say that what the kernel logged up to this time, in seconds since its boot, was printed elsewhere."""
        self._before = log_time

    def writer(self) -> int:
        """Return a new descriptor for QEMU: append-only, as its file back end wants it. The caller closes it."""
        return os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def mark(self) -> int:
        """Read what has come and return the number that the next record will have."""
        with self._lock:
            self._read()
            return self._count

    def since(self, mark: int = 0) -> list[KmsgRecord]:
        """Read what has come and return the records from a number on, as far as they are kept."""
        with self._lock:
            self._read()
            first_of_tail = self._count - len(self._tail)
            missing = first_of_tail - max(mark, len(self._head))
            records = self._head[mark:]
            if missing > 0:
                records.append(self._notice(f"{missing} lines are left out here"))
            return records + list(self._tail)[max(0, mark - first_of_tail) :]

    def news(self, mark: int) -> tuple[list[KmsgRecord], int]:
        """Return what `since` does, and the mark from which to ask for what comes after it."""
        with self._lock:
            return self.since(mark), self._count

    def text(self) -> str:
        """Return everything printed so far that has not been given back, as it came."""
        size = os.fstat(self._fd).st_size
        return os.pread(self._fd, min(size, _BACKLOG), max(0, size - _BACKLOG)).decode(errors="replace").lstrip("\0")

    def bytes_printed(self) -> int:
        """Return how much the machine has printed in all."""
        return os.fstat(self._fd).st_size if self._fd >= 0 else self._position

    async def reach(self, log_time: float, timeout: float = 2.0) -> None:
        """Wait until the console holds the record that the kernel logged at `log_time` (seconds since boot).

        The kernel prints a record on the processor that logged it, or on another one that is printing already; in the
        second case it is still on its way when the command that caused it has ended. The wait is rare and short.
        """
        deadline = time.monotonic() + timeout
        # Half a microsecond of slack: the console prints whole microseconds.
        while log_time - 5e-7 > self._before and not self._holds(log_time - 5e-7) and time.monotonic() < deadline:
            await asyncio.sleep(0.001)

    async def keep_bounded(self, every: float = 0.5) -> None:
        """Go on reading for ever, so that a flood that nobody looks at does not fill this computer's memory."""
        while True:
            await asyncio.sleep(every)
            with self._lock:
                if self._fd >= 0 and os.fstat(self._fd).st_size - self._position > _BACKLOG:
                    self._read()

    def close(self) -> None:
        """Let go of the file; its memory is freed with the last descriptor. What was read stays readable."""
        with self._lock:
            self._read()
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _holds(self, log_time: float) -> bool:
        with self._lock:
            self._read()
            newest = self._tail[-1] if self._tail else self._head[-1] if self._head else None
        return newest is not None and newest.seconds >= log_time

    def _read(self) -> None:
        if self._fd < 0:
            return
        backlog = os.fstat(self._fd).st_size - self._position
        if backlog > _BACKLOG:
            self._skip(backlog)
        while piece := os.pread(self._fd, _PIECE, self._position):
            self._position += len(piece)
            self._keep(self._parser.feed(piece))
        if self._position > _BACKLOG:
            _libc.fallocate(self._fd, _PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(self._position - _BACKLOG))

    def _skip(self, backlog: int) -> None:
        """Read the beginning of a flood, leave its middle unread, and say so in the log."""
        begin = os.pread(self._fd, _PIECE, self._position)
        self._keep(self._parser.feed(begin))
        count = backlog - len(begin) - _KEPT_BYTES
        self._position += len(begin) + count
        self._keep([*self._parser.close(), self._notice(f"{count} bytes of a flood are left out here")])

    def _notice(self, text: str) -> KmsgRecord:
        before = self._tail[-1] if self._tail else self._head[-1] if self._head else None
        return KmsgRecord(_NOTICE_LEVEL, 0, before.seconds if before else 0.0, f"kmodlab: {text}")

    def _keep(self, records: list[KmsgRecord]) -> None:
        self._count += len(records)
        room = _KEPT - len(self._head)
        self._head += records[:room]
        self._tail.extend(records[room:])
