# SPDX-License-Identifier: MIT
"""What a soak counts as grown."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from kmodlab.machine.soak import Sample, _files, growth


def test_a_large_cache_is_counted_without_holding_it(tmp_path: Path) -> None:
    for name in ("kernels", "modules", "templates"):
        for number in range(4):
            folder = tmp_path / name / str(number)
            folder.mkdir(parents=True)
            for one in range(500):
                (folder / f"{one}.ko").touch()
    tracemalloc.start()
    try:
        assert _files(tmp_path) == 4000
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000
    assert held < 100_000


@pytest.mark.parametrize(
    ("field", "more", "words"),
    [
        ("processes", 1, "processes from 2 to 3"),
        ("files", 1, "files from 2 to 3"),
        ("memory", 8192, ""),
        ("memory", 9000, "memory from 2 to 9002"),
        ("failures", 1, ""),
    ],
)
def test_growth(field: str, more: int, words: str) -> None:
    facts = {"cycles": 1, "failures": 0, "processes": 2, "descriptors": 2, "files": 2, "memory": 2}
    late = {**facts, field: facts[field] + more}
    assert growth([Sample(**facts)] * 3 + [Sample(**late)]) == words
