# SPDX-License-Identifier: MIT
"""The parts of the panel that need no machine."""

from __future__ import annotations

import re
from typing import Any

from kmodlab.jupyter.lab import Lab
from kmodlab.jupyter.panel.log import BATCH, KEPT, LogTail
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.jupyter.panel.widget import Panel
from kmodlab.records.kmsg import parse_console


def test_of_a_flood_the_page_gets_the_newest_lines_and_how_many_are_missing() -> None:
    log = LogTail()
    log.add(parse_console("<4>[    1.500000] first\n"))
    assert log.since(0) == (0, [(4, 1.5, "first")])
    log.add(parse_console("".join(f"<6>[    2.000000] line {number}\n" for number in range(100_000))))
    missing, lines = log.since(1)
    assert (missing, len(lines), lines[-1][2]) == (100_000 - BATCH, BATCH, "line 99999")
    missing, lines = log.since(0, KEPT)
    assert (missing, len(lines)) == (100_001 - KEPT, KEPT)
    assert log.since(log.count) == (0, [])
    log.remark("A fresh machine")
    assert log.since(log.count - 1) == (0, [(-1, 0.0, "A fresh machine")])
    log.clear()
    assert log.since(0) == (0, [])


def test_a_line_without_an_end_is_cut() -> None:
    log = LogTail()
    log.add(parse_console("<6>[    1.000000] " + "x" * 50_000))
    assert len(log.since(0)[1][0][2]) == 1000


def test_before_there_is_a_machine_everything_can_be_shown(lab: Lab) -> None:
    panel = Panel(Subject(lab))
    bundle = panel._repr_mimebundle_()
    data: dict[str, Any] = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "not started" in data["text/plain"]
    assert "<table" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data
    panel.close()


def test_the_page_asks_nobody_for_anything() -> None:
    """Without a network it works as well: no address is fetched, by script or by style."""
    own = Panel._esm + Panel._css
    assert re.findall(r"https?://\S+", own.replace("http://www.w3.org/2000/svg", "")) == []
    assert "@import" not in own and "url(" not in own


def test_what_nobody_understands_changes_nothing(lab: Lab) -> None:
    panel = Panel(Subject(lab))
    for message in ({}, {"do": "nonsense"}, {"do": "type", "text": "x"}, {"do": "size", "lines": 3}, {"do": "close"}):
        panel._controller.receive(message)
    panel.close()
