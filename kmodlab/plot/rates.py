# SPDX-License-Identifier: MIT
"""How many bytes a second come through, by how many are moved at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from kmodlab.errors import UsageError
from kmodlab.plot.frame import MARGIN, framed_axes
from kmodlab.plot.picture import describe, text_width
from kmodlab.plot.theme import BODY, SMALL, Theme, ThemeName, get_theme
from kmodlab.records.table import Column, Rows, format_bytes

__all__ = ["Rate", "rates"]

_HEIGHT = 3.2
_LEFT = 1.05
_NAME_HEIGHT = 17.0
_MARKS = ("o", "s", "^", "D")
_COLOURS = ("text", "data", "rodata", "overhead")


@dataclass(frozen=True, slots=True)
class Rate:
    """One measurement.

    Attributes:
        way: how the bytes were moved.
        block: bytes moved at a time.
        per_second: bytes moved in a second.
    """

    way: str
    block: int
    per_second: float

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("way", kind="code"),
        Column("block", "at a time", "bytes"),
        Column("bytes", "in a second", "bytes"),
    )

    @property
    def bytes(self) -> int:
        """Whole bytes in a second."""
        return round(self.per_second)


def rates(ways: Mapping[str, Mapping[int, float]], *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw bytes per second over the bytes moved at a time, both on logarithmic scales, one line for each way.

    Args:
        ways: for each way of moving bytes, by its name: bytes at a time → bytes per second.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the numbers, ``alt_text(ax)`` says them in words.

    Raises:
        UsageError: there is nothing to draw, a figure is not above 0 or not finite, or there are more than four ways.
    """
    rows = Rows(
        (Rate(way, int(block), speed) for way, line in ways.items() for block, speed in sorted(line.items())),
        caption="Bytes per second",
        columns=Rate.COLUMNS,
    )
    if not all(ways.values()) or not all(row.block > 0 and 0 < row.per_second < math.inf for row in rows) or not rows:
        raise UsageError("draw rates: each way needs a figure, and each figure must be above 0 and finite")
    if len(ways) > len(_MARKS):
        raise UsageError(f"draw rates: {len(ways)} ways; draw at most {len(_MARKS)} in one picture")
    style = get_theme(theme)
    right = MARGIN + max(text_width(way, BODY, bold=True) for way in ways) / 72 + 0.2
    with matplotlib.rc_context(style.rc):
        ax = framed_axes(None, _finding(rows), (), style, left=_LEFT, right=right, body=_HEIGHT, above=0.5)
        for number, way in enumerate(ways):
            _line(ax, number, rows.filter(lambda row, way=way: row.way == way), style)  # type: ignore[misc]
        _scales(ax, rows, style)
        _names(ax, rows, style)
    describe(ax, f"Line chart with logarithmic scales. {_finding(rows)}. {_words(rows)}.", rows)
    return ax


def _finding(rows: Rows[Rate]) -> str:
    line = rows.filter(lambda row: row.way == rows[0].way)
    first, last = line[0], line[-1]
    if first is last:
        return f"{first.way}: {format_bytes(first.bytes)} a second"
    more = last.per_second / first.per_second
    return (
        f"{first.way}: with {format_bytes(last.block)} at a time {_times(more)} as many bytes a second "
        f"as with {format_bytes(first.block)}"
    )


def _times(more: float) -> str:
    rough = float(f"{more:.2g}")
    return f"{rough:,.0f} times" if rough >= 10 else f"{rough:g} times"


def _words(rows: Rows[Rate]) -> str:
    return "; ".join(f"{row.way}, {format_bytes(row.block)} at a time: {format_bytes(row.bytes)}/s" for row in rows)


def _line(ax: Axes, number: int, rows: Rows[Rate], style: Theme) -> None:
    colour = getattr(style, _COLOURS[number])
    ax.plot(
        [row.block for row in rows], [row.per_second for row in rows], marker=_MARKS[number], color=colour, lw=1.8,
        markersize=5.5, zorder=3, clip_on=False,
    )  # fmt: skip


def _names(ax: Axes, rows: Rows[Rate], style: Theme) -> None:
    """Write each line's name at its end, none over another."""
    ends = sorted({row.way: row for row in rows}.values(), key=lambda row: row.per_second)
    below = -_NAME_HEIGHT
    for row in ends:
        at = ax.transData.transform((row.block, row.per_second))[1] * 72 / ax.figure.dpi
        below = max(at, below + _NAME_HEIGHT)
        ax.annotate(
            row.way, (row.block, row.per_second), xytext=(9, below - at), textcoords="offset points", va="center",
            fontsize=BODY, fontweight="bold", color=style.ink, annotation_clip=False,
        )  # fmt: skip


def _scales(ax: Axes, rows: Rows[Rate], style: Theme) -> None:
    ax.set_xscale("log", base=4)
    ax.set_yscale("log")
    ax.set_xlim(min(row.block for row in rows), max(row.block for row in rows))
    speeds = [row.per_second for row in rows]
    ax.set_ylim(min(speeds) / 1.6, max(speeds) * 1.6)
    ax.set_facecolor(style.page)
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=12))
    ax.yaxis.set_major_locator(LogLocator(base=10, numticks=9))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_bytes(round(value))))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g}"))
    ax.grid(color=style.faint, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, pad=5, labelsize=SMALL, labelcolor=style.quiet)
    ax.set_xlabel("bytes moved at a time (1 kB = 1024 B)", fontsize=SMALL + 0.5, labelpad=6)
    ax.set_ylabel("million bytes per second", fontsize=SMALL + 0.5, labelpad=6)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
