# SPDX-License-Identifier: MIT
"""Figures of whole runs: what a notebook costs beside its own work, and the test suite."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import nbformat
from measure import Row, row, seconds_of

from kmodlab.course.execute import NotebookResult, execute
from kmodlab.resources import resource

__all__ = ["notebook_overhead", "suite"]

_NOTEBOOKS = 3


def notebook_overhead() -> Iterator[Row]:
    """The run of a notebook without what its cells took, of the tour and the first lessons; beside an empty one."""
    paths = sorted(resource("notebooks").glob("*.ipynb"))[:_NOTEBOOKS]
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.ipynb"
        content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])  # type: ignore[no-untyped-call]
        nbformat.write(content, empty)  # type: ignore[no-untyped-call]
        out = Path(folder) / "out"
        bare = [_beside_its_cells(execute([empty], out)[0]) for _ in range(3)]
        found = {path.stem: _beside_its_cells(execute([path], out, solved=True)[0]) for path in paths}
    worst = max(found, key=found.__getitem__)
    note = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found.items())
    yield row("notebook_overhead", "s", 1.0, [found[worst]], peer="an empty notebook", peer_values=bare, note=note)


def _beside_its_cells(result: NotebookResult) -> float:
    """Seconds of a run in which no cell ran, by the times that the Jupyter kernel noted."""
    assert result.ok, result.error
    assert result.executed
    seconds = result.seconds
    for cell in result.executed.cells:
        if times := cell.metadata.get("execution"):
            begin, end = (datetime.fromisoformat(times[f"iopub.{one}"]) for one in ("status.busy", "status.idle"))
            seconds -= (end - begin).total_seconds()
    return seconds


def suite() -> Iterator[Row]:
    """The test suite as ``kmodlab test`` runs it; measured only when it is asked for by name."""
    argv = [sys.executable, "-m", "kmodlab", "test", "-q"]
    yield row("suite", "s", 900, [seconds_of(lambda: subprocess.run(argv, check=True, stdout=subprocess.DEVNULL))])
