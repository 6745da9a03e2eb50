# SPDX-License-Identifier: MIT
"""Rows of figures: medians of several runs, with their spread, beside a peer that ran in the same minutes."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Row", "machine", "row", "seconds_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: the row's name, as the project's targets name it.
        value: the median.
        unit: of the value.
        target: what it should be at most, or None.
        low, high: the smallest and the largest run.
        runs: how many there were.
        peer: what it is compared with, in words, or None.
        peer_value: the peer's median.
        ratio: value / peer_value.
        note: what a reader must know.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    low: float = 0.0
    high: float = 0.0
    runs: int = 1
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    note: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the row for JSON, figures rounded to four digits after the point."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}

    def __str__(self) -> str:
        """Return the row as a line of a table."""
        target = f"≤ {self.target:g}" if self.target is not None else ""
        met = "" if self.target is None else ("met" if self.value <= self.target else "MISSED")
        peer = f"{self.ratio:.3f} × {self.peer} ({self.peer_value:.2f} {self.unit})" if self.ratio is not None else ""
        spread = f"{self.low:.3f}…{self.high:.3f}" if self.runs > 1 else ""
        return f"{self.name:<20} {self.value:>9.3f} {self.unit:<3} {target:<7} {met:<6} {spread:<16} {peer} {self.note}"


def row(
    name: str,
    unit: str,
    target: float | None,
    values: Sequence[float],
    *,
    peer: str | None = None,
    peer_values: Sequence[float] = (),
    note: str = "",
) -> Row:
    """Return the row for some runs, and for those of a peer if there is one."""
    value = statistics.median(values)
    other = statistics.median(peer_values) if peer_values else None
    ratio = value / other if other else None
    return Row(name, value, unit, target, min(values), max(values), len(values), peer, other, ratio, note)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one call, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].partition(": ")[2] if model else platform.machine(),
        "cpus": os.cpu_count(),
        "memory_kB": int(Path("/proc/meminfo").read_text().split()[1]),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
    }
