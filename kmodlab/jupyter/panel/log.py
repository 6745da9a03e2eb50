# SPDX-License-Identifier: MIT
"""The end of the kernel's log, in the short form in which it goes to a page."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from kmodlab.records.kmsg import KmsgRecord

__all__ = ["BATCH", "KEPT", "Line", "LogTail"]

KEPT = 2000
"""Lines that are kept; a page keeps as many."""
BATCH = 150
"""Lines that go to a page at once: of a flood it gets the newest ones, and how many are missing."""
_LONGEST = 1000
_REMARK = -1

Line = tuple[int, float, str]
"""Level, seconds since boot, text; level -1 is a remark of the panel's own."""


@dataclass(slots=True)
class LogTail:
    """Numbered lines, of which the newest are kept.

    Attributes:
        count: the number that the next line will have.
    """

    count: int = 0
    _cleared: int = 0
    _lines: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, records: Iterable[KmsgRecord]) -> None:
        """Append what the kernel logged."""
        for record in records:
            self._append((record.level, record.seconds, record.text[:_LONGEST]))

    def remark(self, text: str) -> None:
        """Append a remark, such as where another machine begins."""
        self._append((_REMARK, 0.0, text))

    def clear(self) -> None:
        """Forget all lines; their numbers go on."""
        self._lines.clear()
        self._cleared = self.count

    def since(self, number: int, most: int = BATCH) -> tuple[int, list[Line]]:
        """Return how many lines from a number on are left out, and the newest of them, at most so many."""
        wanted = self.count - max(number, self._cleared)
        kept = list(self._lines)[-min(wanted, most) :] if wanted else []
        return wanted - len(kept), kept

    def _append(self, line: Line) -> None:
        self._lines.append(line)
        self.count += 1
