# SPDX-License-Identifier: MIT
"""Figures of the commands a user types: the import, the tour, the set-up."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from measure import Row, row, seconds_of

import kmodlab

__all__ = ["import_time", "set_up", "tour_again"]

_IMPORT = """
import sys, time
start = time.perf_counter()
import kmodlab
print(time.perf_counter() - start)
assert "matplotlib" not in sys.modules
"""


def import_time() -> Iterator[Row]:
    """``import kmodlab`` in a new interpreter, without its start; beside the start itself."""
    bare, runs = [], []
    for _ in range(9):
        bare.append(seconds_of(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)))
        runs.append(float(subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True).stdout))
    yield row("import", "s", 0.15, runs, peer="the start of Python", peer_values=bare)


def tour_again() -> Iterator[Row]:
    """``kmodlab tour`` where everything is set up, the modules built before."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "kmodlab", "tour", "--out", folder]
        subprocess.run(argv, check=True, capture_output=True)
        runs = [seconds_of(lambda: subprocess.run(argv, check=True, capture_output=True)) for _ in range(3)]
    yield row("tour_again", "s", 30, runs)


def set_up() -> Iterator[Row]:
    """What the set-up of this machine fetched and how long it worked, as it noted itself."""
    noted = json.loads((kmodlab.settings().cache / "setup.json").read_text())
    stages = noted["stages"].values()
    note = "noted at the set-up: " + ", ".join(noted["stages"])
    yield row("setup_download", "MB", 700, [sum(stage["bytes"] for stage in stages) / 1e6], note=note)
    yield row("setup_work", "s", 240, [sum(stage["seconds"] - stage["fetching"] for stage in stages)], note=note)
