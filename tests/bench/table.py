# SPDX-License-Identifier: MIT
"""The table of figures in README.md, made from rows that were measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from measure import Row

__all__ = ["WHAT", "table"]

WHAT = {
    "edit_to_log": "an edited module, to its log line in a fresh machine",
    "edit_to_log_pooled": "the same with a spare machine",
    "build": "a build, its includes seen before",
    "clone": "a fresh machine, to its first answered command",
    "clone_pooled": "a spare machine",
    "exec": "a command in it",
    "memory_per_machine": "private memory of each of 20 machines",
    "panel_idle": "the panel while nothing happens",
    "panel_flood": "its page's longest frame while 100,000 lines are logged",
    "tour_again": "the tour, everything set up",
}
"""The rows of README's table, in its order, and what it calls them."""

_UNITS = {"%": "% of a core"}


def table(rows: Iterable[Row]) -> str:
    """Return README's table, in Markdown, of those of its rows that were measured."""
    found = {row.name: row for row in rows}
    lines = [_line(WHAT[name], found[name]) for name in WHAT if name in found]
    return "\n".join(("| what | here | beside it, in the same run |", "|---|---|---|", *lines))


def _line(what: str, row: Row) -> str:
    value = f"{_digits(row.value)} {_UNITS.get(row.unit, row.unit)}"
    beside = ""
    if row.peer_value and row.ratio:
        beside = f"{_times(row.ratio)} {row.peer} ({_digits(row.peer_value)} {row.unit})"
    return f"| {what} | {value} | {beside} |"


def _times(ratio: float) -> str:
    """A ratio in words that go before the peer's name."""
    if ratio < 0.4:
        return f"1/{1 / ratio:.0f} of"
    return f"{_digits(ratio)} times" if ratio >= 1.05 else f"{_digits(ratio)} of"


def _digits(value: float) -> str:
    """A figure to two digits, and never in powers of ten: more than that is noise."""
    return f"{value:.0f}" if value >= 10 else f"{float(f'{value:.2g}'):g}"
