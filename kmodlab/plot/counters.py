# SPDX-License-Identifier: MIT
"""Counters as lines: how they grow over time, or with what is changed from one measurement to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from kmodlab.errors import UsageError
from kmodlab.plot.frame import framed_axes
from kmodlab.plot.picture import describe, text_width
from kmodlab.plot.theme import BODY, SMALL, Theme, ThemeName, get_theme
from kmodlab.records.table import Column, Rows

__all__ = ["CounterPoint", "counters"]

_LEFT = 0.95
_BODY = 3.3
# Okabe and Ito, their blue as the theme has it; no two lines share a marker and a stroke, so that the picture can be
# read without colours too.
_STROKES = (
    ("", "o", "-"),
    ("#d55e00", "s", "--"),
    ("#009e73", "^", "-."),
    ("#cc79a7", "D", ":"),
    ("#e69f00", "v", "-"),
    ("#56b4e9", "P", "--"),
)


@dataclass(frozen=True, slots=True)
class CounterPoint:
    """One point of a line.

    Attributes:
        name: of the counter.
        at: where on the horizontal axis, in its unit.
        value: in the unit of the vertical axis.
    """

    name: str
    at: float
    value: float


def counters(
    samples: Sequence[Mapping[str, float]],
    x: str,
    y: str = "count",
    *,
    title: str = "",
    log: bool = False,
    ax: Axes | None = None,
    theme: Theme | ThemeName | None = None,
) -> Axes:
    """Draw counters as lines, each with its name and last value at its end.

    Args:
        samples: one measurement each: numbers by name, the first of them the place on the horizontal axis.
        x: the words of the horizontal axis, with the unit.
        y: the words of the vertical axis, with the unit.
        title: what there is to see; else what the counters come to.
        log: equal steps on the horizontal axis are equal factors.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has all points as `CounterPoint`, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: there are fewer than two samples, they differ in their names, or there are more than six counters.
    """
    lines = _lines(samples, log=log)
    style = get_theme(theme)
    title = title or _finding(lines)
    with matplotlib.rc_context(style.rc):
        right = max(text_width(words, BODY) for words in map(_end_words, lines.values())) / 72 + 0.35
        ax = framed_axes(ax, title, (), style, left=_LEFT, right=right, body=_BODY, above=0.55)
        _frame(ax, x, y, lines, style, log=log)
        _draw(ax, lines, style)
    points = [point for line in lines.values() for point in line]
    columns = (Column("name", "counter"), Column("at", x, "number"), Column("value", y, "number"))
    describe(ax, f"Lines of {y} over {x}. {title}. {_words(lines)}.", Rows(points, caption=title, columns=columns))
    return ax


def _lines(samples: Sequence[Mapping[str, float]], *, log: bool) -> dict[str, list[CounterPoint]]:
    """Return the points of each counter from left to right."""
    if len(samples) < 2:
        raise UsageError(f"draw counters: {len(samples)} samples make no line; take two or more")
    place, *names = samples[0]
    if any(list(sample) != [place, *names] for sample in samples):
        raise UsageError("draw counters: the samples have different names; give each the same, in the same order")
    if not 1 <= len(names) <= len(_STROKES):
        raise UsageError(f"draw counters: {len(names)} counters; give 1 to {len(_STROKES)} beside {place!r}")
    ordered = sorted(samples, key=lambda sample: sample[place])
    if log and ordered[0][place] <= 0:
        raise UsageError(f"draw counters: {place!r} has no place for {ordered[0][place]} with log=True")
    return {name: [CounterPoint(name, sample[place], sample[name]) for sample in ordered] for name in names}


def _number(value: float) -> str:
    """Return a number for people: thousands grouped, at most three significant digits behind a point."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def _end_words(line: Sequence[CounterPoint]) -> str:
    return f"{line[-1].name} {_number(line[-1].value)}"


def _finding(lines: Mapping[str, Sequence[CounterPoint]]) -> str:
    ordered = sorted(lines.values(), key=lambda line: -abs(line[-1].value - line[0].value))
    parts = [f"{line[0].name} from {_number(line[0].value)} to {_number(line[-1].value)}" for line in ordered[:3]]
    return ", ".join(parts)


def _words(lines: Mapping[str, Sequence[CounterPoint]]) -> str:
    return "; ".join(
        f"{name}: {', '.join(f'{_number(one.value)} at {_number(one.at)}' for one in _few(line))}"
        for name, line in lines.items()
    )


def _few(line: Sequence[CounterPoint]) -> Sequence[CounterPoint]:
    """Return at most five points of a line, its ends among them."""
    if len(line) <= 5:
        return line
    return [line[round(number * (len(line) - 1) / 4)] for number in range(5)]


def _frame(ax: Axes, x: str, y: str, lines: Mapping[str, Sequence[CounterPoint]], style: Theme, *, log: bool) -> None:
    ax.set_facecolor(style.page)
    some = next(iter(lines.values()))
    places = [point.at for point in some]
    values = [point.value for line in lines.values() for point in line]
    if log:
        ax.set_xscale("log")
        ax.set_xticks(places)
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 4, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 4, 5, 10]))
    low, high = min(0.0, *values), max(0.0, *values)
    room = (high - low or 1.0) * 0.06
    ax.set_ylim(low - (room if low < 0 else room / 3), high + room)
    ax.set_xlabel(x, fontsize=SMALL + 0.5, labelpad=6)
    ax.set_ylabel(y, fontsize=SMALL + 0.5, labelpad=6)
    ax.tick_params(length=0, pad=5, labelsize=SMALL, labelcolor=style.quiet)
    ax.grid(color=style.faint, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _draw(ax: Axes, lines: Mapping[str, Sequence[CounterPoint]], style: Theme) -> None:
    for (colour, marker, stroke), line in zip(_STROKES, lines.values(), strict=False):
        ax.plot(
            [point.at for point in line], [point.value for point in line], color=colour or style.text, ls=stroke,
            lw=1.9, marker=marker, ms=5.5, mec=style.page, mew=0.6, zorder=3, clip_on=False,
        )  # fmt: skip
    scale = ax.bbox.height / ax.figure.dpi * 72 / (ax.get_ylim()[1] - ax.get_ylim()[0])
    ends = sorted(zip(_STROKES, lines.values(), strict=False), key=lambda end: end[1][-1].value)
    wanted = [line[-1].value * scale for _, line in ends]
    floor = ax.get_ylim()[0] * scale + BODY * 0.6  # what is named must not stand among the words of the axis
    for ((colour, _, _), line), height, at in zip(ends, _apart(wanted, BODY * 1.35, floor), wanted, strict=True):
        ax.annotate(
            _end_words(line), (line[-1].at, line[-1].value), xytext=(11, height - at), textcoords="offset points",
            ha="left", va="center", fontsize=BODY, color=style.ink, annotation_clip=False,
            bbox={"boxstyle": "square,pad=0.1", "fc": "none", "ec": "none"},
        )  # fmt: skip
        if abs(height - at) > 2:
            ax.annotate(
                "", (line[-1].at, line[-1].value), xytext=(10, height - at), textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": colour or style.text, "lw": 0.9, "shrinkA": 0, "shrinkB": 3},
                annotation_clip=False,
            )  # fmt: skip


def _apart(wanted: Sequence[float], gap: float, floor: float) -> list[float]:
    """Return heights in the given order, near the wanted ones, each at least a gap above the one before."""
    pools: list[tuple[float, int]] = []  # of labels that touch: the height of the lowest, and how many
    for height in wanted:
        pools.append((max(height, floor), 1))
        while len(pools) > 1 and pools[-1][0] < pools[-2][0] + pools[-2][1] * gap:
            (upper, more), (lower, few) = pools.pop(), pools.pop()
            middle = (few * lower + more * (upper - few * gap)) / (few + more)
            pools.append((max(middle, floor), few + more))
    return [lowest + number * gap for lowest, count in pools for number in range(count)]
