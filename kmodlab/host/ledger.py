# SPDX-License-Identifier: MIT
"""What the set-up costs: bytes fetched and seconds, stage by stage, kept in ``setup.json`` in the cache folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Cost", "count_fetched", "fetched_line", "noted"]

_FETCHED = re.compile(r"^Fetched (?P<number>[\d.,]+) (?P<unit>[kMG]?)B in ", re.M)
_UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}


@dataclass(slots=True)
class Cost:
    """What one stage took.

    Attributes:
        bytes: fetched from a network.
        seconds: in all.
        fetching: seconds of these that were waiting for the network.
    """

    bytes: int = 0
    seconds: float = 0.0
    fetching: float = 0.0


_total = Cost()  # of this process, whichever part of it fetches


def count_fetched(size: int, seconds: float) -> None:
    """Add what was fetched and how long that took."""
    _total.bytes += size
    _total.fetching += seconds


def fetched_line(text: str) -> int:
    """Return the bytes that apt says it has fetched: ``Fetched 9,417 kB in 1s (10.2 MB/s)``; 0 if it says nothing."""
    found = _FETCHED.search(text)
    return round(float(found["number"].replace(",", "")) * _UNITS[found["unit"]]) if found else 0


@contextmanager
def noted(cache: Path, stage: str) -> Iterator[None]:
    """Note in the cache folder what the block, a stage of the set-up, has cost, if it came to its end."""
    before, start = Cost(_total.bytes, 0, _total.fetching), time.monotonic()
    yield
    cost = Cost(_total.bytes - before.bytes, time.monotonic() - start, _total.fetching - before.fetching)
    file = cache / "setup.json"
    content: dict[str, dict[str, object]] = {"stages": {}}
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(file.read_text())
    content["stages"][stage] = asdict(cost)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(file)
