# SPDX-License-Identifier: MIT
"""Where a module's time goes, function by function, and how long single calls took."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from kmodlab.errors import UsageError
from kmodlab.plot.frame import MARGIN, ROW, WIDTH, draw_bar, framed_axes, label_width, say_end, set_frame, set_title
from kmodlab.plot.picture import add_axes, describe, new_figure, text_width, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.functions import FunctionTime, FunctionTrace, format_us
from kmodlab.records.table import Column, Rows

__all__ = ["Latency", "functions", "latencies"]

_MOST_ROWS = 14
_MOST_PANELS = 6
_PANEL = 0.72
_GAP = 0.46
_PER_DECADE = 5  # bins


def functions(trace: FunctionTrace, *, ax: Axes | None = None, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw how much time went in each function of the modules, and how much of it in others that it called.

    Args:
        trace: what ``vm.functions("scribble", command)`` returned.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the numbers, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: no function ran.
    """
    style, rows = get_theme(theme), trace.functions
    if not rows:
        raise UsageError("draw functions: none of the module's functions ran; trace a command that uses it")
    shown, title = rows[:_MOST_ROWS], _finding(trace)
    ends = [_end_words(row) for row in shown]
    with matplotlib.rc_context(style.rc):
        left, right = label_width(row.name for row in shown), max(text_width(end, SMALL) for end in ends) / 72 + 0.35
        handles = [Patch(facecolor=style.text, edgecolor=style.page, label="in the function itself")]
        if any(row.us > row.own_us for row in shown):
            handles.append(
                Patch(
                    facecolor=style.rodata, hatch="..", edgecolor="#00507d", label="in the module's functions it calls"
                )
            )
        ax = framed_axes(ax, title, handles, style, left=left, right=right, body=ROW * len(shown))
        _bars(ax, shown, ends, style)
    missing = f" {trace.lost} events were lost." if trace.lost else ""
    said = "; ".join(f"{row.name} {row.total} in {_times(row.calls)}, itself {row.itself}" for row in shown)
    describe(ax, f"Bar chart of time by function. {title}. {said}.{missing}", rows)
    return ax


def _times(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _end_words(row: FunctionTime) -> str:
    return f"{row.total}, {_times(row.calls)}"


def _finding(trace: FunctionTrace) -> str:
    rows = trace.functions
    first, whole = rows[0], sum(row.own_us for row in rows)
    late = "; the first calls were lost" if trace.lost else ""
    share = f"{100 * first.own_us / whole:.0f} %" if whole else "all"
    names = ", ".join(trace.modules)
    if len(rows) == 1:
        return f"{first.name} is the one function of {names} that ran: {first.total} in {_times(first.calls)}{late}"
    return f"{share} of the {format_us(whole)} spent in {names} went in {first.name}, {_times(first.calls)}{late}"


def _bars(ax: Axes, rows: Rows[FunctionTime], ends: Sequence[str], style: Theme) -> None:
    widest = max(row.us for row in rows)
    unit, step = ("milliseconds", 1000.0) if widest >= 2000 else ("microseconds", 1.0)
    for place, (row, end) in enumerate(zip(rows, ends, strict=True)):
        draw_bar(ax, place, 0, row.own_us / step, style.text, "", style.page)
        if row.us > row.own_us:
            draw_bar(ax, place, row.own_us / step, (row.us - row.own_us) / step, style.rodata, "..", "#00507d")
        say_end(ax, place, max(row.us, row.own_us) / step, end, style)
    set_frame(ax, [row.name for row in rows], widest / step, style)
    ax.set_xlabel(f"{unit}; time asleep and the tracer's own counted in", fontsize=SMALL + 0.5, labelpad=6)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the calls of one function took, in microseconds.

    Attributes:
        name: the function, or whatever was timed.
        calls: how many.
        fastest_us, median_us, p90_us, slowest_us: nine of ten calls took at most ``p90_us``.
    """

    name: str
    calls: int
    fastest_us: float
    median_us: float
    p90_us: float
    slowest_us: float

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "what was timed"),
        Column("calls", kind="number"),
        *(Column(name, heading, "number") for name, heading in (
            ("fastest", "fastest"), ("median", "median"), ("p90", "9 of 10 within"), ("slowest", "slowest"),
        )),
    )  # fmt: skip

    @property
    def fastest(self) -> str:
        """``fastest_us`` for people."""
        return format_us(self.fastest_us)

    @property
    def median(self) -> str:
        """``median_us`` for people."""
        return format_us(self.median_us)

    @property
    def p90(self) -> str:
        """``p90_us`` for people."""
        return format_us(self.p90_us)

    @property
    def slowest(self) -> str:
        """``slowest_us`` for people."""
        return format_us(self.slowest_us)


def latencies(times: FunctionTrace | Mapping[str, Sequence[float]], *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw how long single calls took, as a histogram for each function, all on one logarithmic scale.

    Args:
        times: what ``vm.functions(…)`` returned, of which the functions that were called most often are drawn; or by
            name the microseconds of whatever was timed.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The topmost axes. ``table(ax)`` has median and extremes of each, ``alt_text(ax)`` says them in words.

    Raises:
        UsageError: there is nothing to draw, or a time is not above 0.
    """
    timed = _timed(times)
    if not timed or any(not us > 0 for values in timed.values() for us in values):
        raise UsageError("draw latencies: there is no time above 0 to draw; trace a command that uses the module")
    style = get_theme(theme)
    rows = Rows((_latency(name, sorted(us)) for name, us in timed.items()), caption="Time of a call",
                columns=Latency.COLUMNS)  # fmt: skip
    title = _spread_finding(rows)
    edges = _edges([us for values in timed.values() for us in values])
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = MARGIN + 0.25 * lines.count("\n") + 0.72
        figure = new_figure(WIDTH, head + len(rows) * (_PANEL + _GAP) + 0.2, style)
        panels = []
        for number, row in enumerate(rows):
            ax = add_axes(figure, 0.75, head + number * (_PANEL + _GAP), WIDTH - 0.75 - MARGIN - 0.12, _PANEL)
            _histogram(ax, row, timed[row.name], edges, style, last=number == len(rows) - 1)
            panels.append(ax)
        set_title(panels[0], lines, head - MARGIN, 0.75, TITLE, style)
        panels[-1].set_xlabel("time of a call; the orange line is the median", fontsize=SMALL + 0.5, labelpad=6)
    said = "; ".join(f"{row.name}: {_spread_words(row)}" for row in rows)
    describe(panels[0], f"Histograms of the time of a call. {title}. {said}.", rows)
    return panels[0]


def _timed(times: FunctionTrace | Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    if not isinstance(times, FunctionTrace):
        return {name: list(values) for name, values in times.items() if len(values)}
    found: dict[str, list[float]] = {}
    for call in times.calls:
        found.setdefault(call.function, []).append(call.us)
    often = sorted(found, key=lambda name: -len(found[name]))[:_MOST_PANELS]
    return {name: found[name] for name in found if name in often}


def _latency(name: str, us: list[float]) -> Latency:
    return Latency(name, len(us), us[0], median(us), us[math.ceil(0.9 * len(us)) - 1], us[-1])


def _spread_finding(rows: Rows[Latency]) -> str:
    row = max(rows, key=lambda row: row.slowest_us / row.median_us)
    factor = row.slowest_us / row.median_us
    if row.calls > 2 and factor >= 2:
        return f"The slowest {row.name} took {float(f'{factor:.2g}'):,.0f} times as long as the median one"
    return f"A call of {rows[0].name} takes {rows[0].median}"


def _spread_words(row: Latency) -> str:
    if row.calls == 1:
        return f"1 call, {row.median}"
    most = f", 9 of 10 within {row.p90}" if row.calls >= 10 else ""
    return f"{row.calls:,} calls, median {row.median}{most}, slowest {row.slowest}"


def _edges(times: Sequence[float]) -> list[float]:
    """Return the edges of bins of equal factors, from a power of ten to one."""
    low, high = math.floor(math.log10(min(times))), math.floor(math.log10(max(times))) + 1
    return [10 ** (low + step / _PER_DECADE) for step in range((high - low) * _PER_DECADE + 1)]


def _histogram(
    ax: Axes, row: Latency, times: Sequence[float], edges: Sequence[float], style: Theme, *, last: bool
) -> None:
    counts = [0] * (len(edges) - 1)
    for us in times:
        counts[min(int((math.log10(us) - math.log10(edges[0])) * _PER_DECADE + 1e-9), len(counts) - 1)] += 1
    ax.set_xscale("log")
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            ax.add_patch(Rectangle((left, 0), right - left, count, fc=style.text, ec=style.page, lw=0.7, zorder=3))
    ax.plot([row.median_us] * 2, [0, max(counts) * 1.12], color=style.data, lw=2, zorder=4)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(-0.1 * max(counts), max(counts) * 1.12)  # so that 0 stands clear of the times
    ax.set_facecolor(style.page)
    ax.xaxis.set_major_locator(LogLocator(numticks=12))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda us, _: format_us(us) if last else ""))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    ax.grid(axis="x", color=style.faint, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, pad=4, labelsize=SMALL, labelcolor=style.quiet)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    wide = ax.bbox.width / ax.figure.dpi * 72
    ax.annotate(
        row.name, (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", ha="left", va="bottom",
        fontsize=BODY, fontweight="bold", color=style.ink,
    )  # fmt: skip
    words = _spread_words(row)
    if text_width(row.name, BODY, bold=True) + 12 + text_width(words, SMALL) < wide:
        ax.annotate(
            words, (1, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", ha="right",
            va="bottom", fontsize=SMALL, color=style.quiet,
        )  # fmt: skip
