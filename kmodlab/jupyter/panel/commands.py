# SPDX-License-Identifier: MIT
"""The panel's command line: lines for the guest's bash, what they print while they run, and the lines before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kmodlab.errors import KmodlabError
from kmodlab.jupyter.display import headline
from kmodlab.jupyter.panel.subject import Subject

__all__ = ["Commands"]

_KEPT = 50
_HISTORY = 500
_LONGEST = 64 << 10


@dataclass(slots=True, eq=False)
class _Entry:
    """One line that was run, and what it printed so far."""

    number: int
    line: str
    text: str = ""
    end: str = ""
    running: bool = True
    told: bool = False

    def add(self, data: bytes) -> None:
        self.text = (self.text + data.decode(errors="replace"))[-_LONGEST:]
        self.told = False

    def finish(self, end: str) -> None:
        self.end, self.running, self.told = end, False, False


class Commands:
    """Lines that were run from a panel.

    Attributes:
        history: the lines, oldest first, each once in a row.
    """

    def __init__(self, subject: Subject) -> None:
        self.history: deque[str] = deque(maxlen=_HISTORY)
        self._subject = subject
        self._entries: deque[_Entry] = deque(maxlen=_KEPT)
        self._count = 0
        self._lock = threading.Lock()

    def run(self, line: str) -> None:
        """Run a line in the guest and wait for its end; what it prints can be seen meanwhile, see `changes`."""
        with self._lock:
            entry = _Entry(self._count, line)
            self._count += 1
            self._entries.append(entry)
            if not self.history or self.history[-1] != line:
                self.history.append(line)
        try:
            result = self._subject.machine().run(line, on_output=lambda _, data: entry.add(data))
            entry.finish(f"exit status {result.exit_status}" if result.exit_status else "")
        except KmodlabError as error:
            entry.finish(f"{type(error).__name__}: {headline(error)}")

    def changes(self) -> Iterator[dict[str, Any]]:
        """Yield each line of which there is news."""
        for entry in list(self._entries):
            if not entry.told:
                entry.told = True
                yield _message(entry)

    def whole(self) -> Iterator[dict[str, Any]]:
        """Yield all lines that are kept, and the history."""
        yield {"see": "history", "lines": list(self.history)}
        for entry in list(self._entries):
            entry.told = True
            yield _message(entry)


def _message(entry: _Entry) -> dict[str, Any]:
    shown = {"number": entry.number, "line": entry.line, "text": entry.text, "end": entry.end}
    return {"see": "command", "running": entry.running, **shown}
