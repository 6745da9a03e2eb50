# SPDX-License-Identifier: MIT
"""The table of figures that README.md shows is the one that ``bench --table`` prints."""

from __future__ import annotations

import re

import pytest

from kmodlab.resources import resource
from tests.bench.measure import row
from tests.bench.table import WHAT, table


@pytest.mark.checkout
def test_readme_shows_the_rows_that_are_measured() -> None:
    text = (resource("tests").parent / "README.md").read_text()
    section = text.partition("## How it is quick")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| (.+?) \| .+ \| .*\|$", section, re.MULTILINE)
    assert shown == ["what", *WHAT.values()]


def test_a_row_beside_its_peer() -> None:
    rows = [
        row("exec", "s", 0.02, [0.00712]),
        row("clone", "s", 0.2, [0.1987, 0.2], peer="a cold boot", peer_values=[2.31]),
        row("panel_idle", "%", 5, [1.61]),
        row("build", "s", 0.2, [0.15], peer="bare `gcc -c`", peer_values=[0.2]),
        row("panel_flood", "ms", 250, [50.1], peer="that at rest", peer_values=[16.8]),
        row("learners_30_p95", "s", 2, [1.7]),
    ]
    assert table(rows).splitlines()[2:] == [
        "| a build, its includes seen before | 0.15 s | 0.75 of bare `gcc -c` (0.2 s) |",
        "| a fresh machine, to its first answered command | 0.2 s | 1/12 of a cold boot (2.3 s) |",
        "| a command in it | 0.0071 s |  |",
        "| the panel while nothing happens | 1.6 % of a core |  |",
        "| its page's longest frame while 100,000 lines are logged | 50 ms | 3 times that at rest (17 ms) |",
    ]
