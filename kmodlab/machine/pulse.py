# SPDX-License-Identifier: MIT
"""How much time a machine has really had, by the host's own account of QEMU's threads.

A limit in wall-clock time would blame an innocent module for a busy or paused host. Evidence: the host's ``/proc``;
nothing here asks the guest.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Pulse", "ThreadTimes", "threads"]

_LARGEST = 0.5
"""Seconds that one beat counts at most: where beats are further apart, this process itself was kept from running."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ThreadTimes:
    """What one thread of QEMU has had until now.

    Attributes:
        name: ``CPU 0/TCG``, ``CPU 1/KVM`` for a virtual processor.
        running: seconds on a processor.
        waiting: seconds in which it could have run and found no processor free.
    """

    name: str
    running: float
    waiting: float

    @property
    def processor(self) -> int | None:
        """The number of the virtual processor, or None for a thread of another kind."""
        words = self.name.split("/")[0].split(" ")
        return int(words[1]) if len(words) == 2 and words[0] == "CPU" and words[1].isdecimal() else None


def threads(pid: int) -> dict[int, ThreadTimes]:
    """Return the threads of a process by their numbers, none if it ended: ``/proc/PID/task/*/schedstat``."""
    found = {}
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            name = (task / "comm").read_text().rstrip("\n")
            found[int(task.name)] = ThreadTimes(name, *_times(task))
    except OSError:
        pass
    return found


def _times(task: Path) -> tuple[float, float]:
    try:
        running, waiting, _ = (task / "schedstat").read_text().split()
    except FileNotFoundError:  # a host kernel without this account: then only the time on a processor is known
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS, 0.0
    return int(running) / 1e9, int(waiting) / 1e9


class Pulse:
    """A clock that stands still while the host does not let a machine run.

    Attributes:
        wall: seconds since it began.
        lived: those in which the machine could run, whether it did or slept.
        busy: seconds on a processor, by virtual processor.
    """

    def __init__(self, pid: int | None) -> None:
        """Begin to watch a QEMU process."""
        self._pid = pid or 0
        self._last = time.monotonic()
        self._threads = threads(self._pid)
        self.wall = self.lived = 0.0
        self.busy: dict[int, float] = {}

    @property
    def kept_waiting(self) -> float:
        """Seconds in which the machine was stopped, or stood in line for a processor."""
        return self.wall - self.lived

    @property
    def starved(self) -> bool:
        """Whether the machine went short of time so much that what it did not get done says little."""
        return self.kept_waiting > 1.0 and self.kept_waiting > 0.25 * self.wall

    def beat(self) -> float:
        """Take note of the time since the last beat and return `lived`; call it some ten times a second."""
        now, seen = time.monotonic(), threads(self._pid)
        passed, self._last = now - self._last, now
        before, self._threads = self._threads, seen
        waited = 0.0
        for number, thread in seen.items():
            old = before.get(number, thread)
            if (processor := thread.processor) is not None:
                waited = max(waited, thread.waiting - old.waiting)
                self.busy[processor] = self.busy.get(processor, 0.0) + thread.running - old.running
        self.wall += passed
        if not self._stopped():
            self.lived += max(0.0, min(passed, _LARGEST) - waited)
        return self.lived

    def _stopped(self) -> bool:
        """Whether somebody has stopped the process (SIGSTOP, a debugger)."""
        try:
            return Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[0] in {"T", "t"}
        except (OSError, IndexError):
            return False
