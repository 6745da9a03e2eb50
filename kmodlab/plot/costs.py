# SPDX-License-Identifier: MIT
"""What an object really takes from each allocator, against what was asked for."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kmodlab.errors import UsageError
from kmodlab.plot.frame import framed_axes
from kmodlab.plot.picture import describe
from kmodlab.plot.theme import SMALL, Theme, ThemeName, get_theme
from kmodlab.records.costs import AllocationCost, parse_costs
from kmodlab.records.table import Rows, format_bytes

__all__ = ["allocation_costs"]

_BODY = 3.6
_LEFT = 1.0
_MARKS = ("o", "s", "^", "D")
_LINES = ("-", (0, (5, 1.5)), "-.", ":")


def allocation_costs(
    costs: str | Iterable[AllocationCost], *, ax: Axes | None = None, theme: Theme | ThemeName | None = None
) -> Axes:
    """Draw how many bytes an object takes, against the bytes asked for, one line for each allocator.

    Args:
        costs: records, or lines such as ``kmalloc 600 1024 850``: allocator, asked for, taken, nanoseconds.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the numbers, with the times; ``alt_text(ax)`` says it in words.

    Raises:
        RecordParseError: the text is not of that form.
        UsageError: there are no figures.
    """
    style = get_theme(theme)
    rows = parse_costs(costs) if isinstance(costs, str) else Rows(costs, columns=AllocationCost.COLUMNS)
    if not rows:
        raise UsageError("draw costs: there are no figures; measure something first")
    title = _finding(rows)
    with matplotlib.rc_context(style.rc):
        ax = framed_axes(ax, title, _handles(rows, style), style, left=_LEFT, right=0.4, body=_BODY, above=0.72)
        _lines(ax, rows, style)
    describe(ax, _words(rows, title), rows)
    return ax


def _ways(rows: Rows[AllocationCost]) -> list[str]:
    return list(dict.fromkeys(row.how for row in rows))


def _finding(rows: Rows[AllocationCost]) -> str:
    """Return the title: the size for which the allocators differ most."""
    by_size: dict[int, dict[str, int]] = {}
    for row in rows:
        by_size.setdefault(row.size, {})[row.how] = row.taken
    whole = {size: taken for size, taken in by_size.items() if len(taken) == len(_ways(rows))} or by_size
    sizes = sorted(whole)
    size = sizes[len(sizes) // 2]
    parts = [f"{format_bytes(taken)} from {how}" for how, taken in whole[size].items()]
    return f"An object of {format_bytes(size)} takes {', '.join(parts)}"


def _words(rows: Rows[AllocationCost], title: str) -> str:
    parts = []
    for how in _ways(rows):
        points = ", ".join(f"{format_bytes(row.size)} takes {format_bytes(row.taken)}" for row in rows.where(how=how))
        parts.append(f"{how}: {points}")
    return f"Lines of bytes taken against bytes asked for. {title}. {'; '.join(parts)}."


def _style(number: int, style: Theme) -> dict[str, object]:
    colours = (style.text, style.data, style.ink, style.rodata)
    return {
        "color": colours[number % 4], "marker": _MARKS[number % 4], "ls": _LINES[number % 4], "lw": 1.8, "ms": 5,
    }  # fmt: skip


def _handles(rows: Rows[AllocationCost], style: Theme) -> list[Line2D]:
    found = [Line2D([], [], label=how, **_style(at, style)) for at, how in enumerate(_ways(rows))]  # type: ignore[arg-type]
    return [*found, Line2D([], [], color=style.line, lw=1.0, ls=(0, (1, 2)), label="what was asked for")]


def _lines(ax: Axes, rows: Rows[AllocationCost], style: Theme) -> None:
    low = min(min(row.size, max(row.taken, 1)) for row in rows)
    high = max(max(row.size, row.taken) for row in rows)
    ax.plot([low, high], [low, high], color=style.line, lw=1.0, ls=(0, (1, 2)), zorder=2)
    for at, how in enumerate(_ways(rows)):
        points = sorted((row.size, max(row.taken, 1)) for row in rows.where(how=how))
        ax.plot(*zip(*points, strict=True), zorder=3, **_style(at, style))  # type: ignore[arg-type]
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_facecolor(style.page)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(
            FixedLocator([2**power for power in range(3, 20) if low / 1.5 <= 2**power <= high * 1.5])
        )
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: format_bytes(int(value))))
    sizes = [row.size for row in rows]
    ax.set_xlim(min(sizes) / 1.2, max(sizes) * 1.2)
    ax.set_ylim(low / 1.3, high * 1.3)
    ax.grid(color=style.faint, linewidth=0.8, zorder=0)
    ax.tick_params(length=0, pad=5, labelsize=SMALL, labelcolor=style.quiet)
    ax.set_xlabel("asked for, memory in bytes or kB", fontsize=SMALL + 0.5, labelpad=6)
    ax.set_ylabel("taken", fontsize=SMALL + 0.5, labelpad=6)
    for side in ax.spines.values():
        side.set_visible(False)
