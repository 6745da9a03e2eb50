# SPDX-License-Identifier: MIT
"""A kernel's whole tree of modules in one picture: what everything leans on."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch

from kmodlab.plot.frame import MARGIN, ROW, WIDTH, draw_bar, label_width, say_end, set_frame, set_key, set_title
from kmodlab.plot.picture import add_axes, describe, text_width, wrapped
from kmodlab.plot.strip import ROOM, points_axes
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.foundations import Foundation, parse_foundations
from kmodlab.records.table import Rows

__all__ = ["foundations"]

_RANKED = 12
_LABELS = 186.0  # points for the words beside the layers
_PITCH = 5.0
_DOT = 3.7
_DISC = 8.5  # radius of a numbered one
_STEP = 2 * _DISC + 2
_COLUMNS = 4  # of those side by side
_BETWEEN = 9.0


def foundations(modules_dep: str | Rows[Foundation], *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw every module of a tree as a dot, above what it needs, and the modules on which most others lean.

    Args:
        modules_dep: the text of ``/lib/modules/RELEASE/modules.dep``, or what
            `kmodlab.records.foundations.parse_foundations` made of it.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes of the dots. ``table(ax)`` has every module, ``alt_text(ax)`` says it in words.

    Raises:
        RecordParseError: the text is not of that form.
    """
    rows = parse_foundations(modules_dep) if isinstance(modules_dep, str) else modules_dep
    style, title = get_theme(theme), _finding(rows)
    ranked = [row for row in rows[:_RANKED] if row.users]
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = MARGIN + 0.25 * lines.count("\n") + 0.74
        layers = _layers(rows)
        height = sum(map(_height, layers)) + _BETWEEN * (len(layers) - 1)
        body = ROW * 0.86 * len(ranked)
        below = 1.0 + body + 0.48 + MARGIN if ranked else MARGIN
        ax = points_axes(head * 72, height, MARGIN * 72, style, below * 72)
        _draw_layers(ax, layers, ranked, style)
        set_title(ax, lines, head - MARGIN, MARGIN, TITLE, style)
        set_key(ax, _key(style), MARGIN)
        describe(ax, f"Every module as a dot, in layers. {title}. {_words(layers, ranked)}.", rows)
        if ranked:
            _draw_ranked(ax, head + height / 72 + 1.0, body, ranked, len(rows), style)
    return ax


def _finding(rows: Rows[Foundation]) -> str:
    needy = sum(row.needs > 0 for row in rows)
    if not rows or not rows[0].users:
        return f"None of {len(rows):,} modules leans on another"
    return f"{needy:,} of {len(rows):,} modules lean on others; {rows[0].users:,} of them on {rows[0].name}"


def _layers(rows: Rows[Foundation]) -> list[list[Foundation]]:
    """Return the modules of each layer, the highest first, those with most users first in theirs."""
    found: dict[int, list[Foundation]] = {}
    for row in rows:  # which come sorted by their users
        found.setdefault(row.layer, []).append(row)
    return [found[layer] for layer in sorted(found, reverse=True)]


def _height(layer: Sequence[Foundation]) -> float:
    """Return how high a layer's band is, in points."""
    return max(_lines(layer) * _PITCH, _STEP)


def _lines(layer: Sequence[Foundation]) -> int:
    return -(-len(layer) // _across())


def _across() -> int:
    """How many dots stand side by side beside as many discs as any layer may have."""
    return int((ROOM - _LABELS - _COLUMNS * _STEP) // _PITCH)


def _draw_layers(ax: Axes, layers: Sequence[Sequence[Foundation]], ranked: Sequence[Foundation], style: Theme) -> None:
    top = 0.0
    plain: list[tuple[float, float]] = []
    leaned: list[tuple[float, float]] = []
    numbers = {row.name: number for number, row in enumerate(ranked, 1)}
    for place, layer in enumerate(layers):
        high = _height(layer)
        middle = top + high / 2
        _say_layer(ax, layer, middle, last=place == len(layers) - 1, style=style)
        discs = [row for row in layer if row.name in numbers]
        deep = -(-len(discs) // _COLUMNS)
        for number, row in enumerate(discs):
            y = middle + (number // _COLUMNS + 0.5 - deep / 2) * _STEP
            _disc(ax, _LABELS + _DISC + number % _COLUMNS * _STEP, y, numbers[row.name], style)
        left = _LABELS + _COLUMNS * _STEP
        rest = [row for row in layer if row not in discs]
        for number, row in enumerate(rest):
            line, column = number % max(_lines(layer), 1), number // max(_lines(layer), 1)
            spot = (left + (column + 0.5) * _PITCH, middle + (line + 0.5 - _lines(layer) / 2) * _PITCH)
            (leaned if row.users else plain).append(spot)
        if place:
            ax.plot([0, ROOM], [top - _BETWEEN / 2] * 2, color=style.faint, lw=0.7, zorder=1)
        top += high + _BETWEEN
    for spots, colour in ((plain, style.overhead), (leaned, style.text)):
        ax.add_collection(
            EllipseCollection(
                [_DOT] * len(spots), [_DOT] * len(spots), [0] * len(spots), units="xy", offsets=spots,
                offset_transform=ax.transData, facecolors=colour, linewidths=0, zorder=3,
            )
        )  # fmt: skip


def _say_layer(ax: Axes, layer: Sequence[Foundation], y: float, *, last: bool, style: Theme) -> None:
    modules = "1 module" if len(layer) == 1 else f"{len(layer):,} modules"
    words = "which need none" if last else f"on layer {layer[0].layer}"
    ax.text(0, y, modules, fontsize=SMALL, fontweight="bold", color=style.ink, va="center")
    ax.text(_LABELS - 8, y, words, fontsize=SMALL, color=style.quiet, va="center", ha="right")


def _disc(ax: Axes, x: float, y: float, number: int, style: Theme) -> None:
    ax.add_patch(Circle((x, y), _DISC, facecolor=style.data, edgecolor=style.page, lw=0.6, zorder=4))
    ax.text(x, y, str(number), fontsize=8.5, fontweight="bold", color="#000000", ha="center", va="center", zorder=5)


def _key(style: Theme) -> list[Patch | Line2D]:
    dot = {"ls": "", "marker": "o", "mec": "none"}
    return [
        Line2D([], [], color=style.data, ms=11, label="most leaned on, see below", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=style.text, ms=5, label="others lean on it", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=style.overhead, ms=5, label="nothing leans on it", **dot),  # type: ignore[arg-type]
    ]


def _words(layers: Sequence[Sequence[Foundation]], ranked: Sequence[Foundation]) -> str:
    counts = "; ".join(f"layer {layer[0].layer}: {len(layer):,} modules" for layer in reversed(layers))
    most = "; ".join(f"{row.name} {row.users:,}, directly {row.direct:,}" for row in ranked)
    return f"{counts}. Most leaned on: {most}" if most else counts


def _draw_ranked(ax: Axes, top: float, body: float, ranked: Sequence[Foundation], modules: int, style: Theme) -> None:
    names = [f"{row.name}  {number}" for number, row in enumerate(ranked, 1)]
    ends = [f"{row.users:,}, {100 * row.users / modules:.0f} % of all" for row in ranked]
    left, right = label_width(names), MARGIN + max(text_width(end, SMALL) for end in ends) / 72 + 0.15
    lower = add_axes(ax.figure, left, top, WIDTH - left - right, body)  # type: ignore[arg-type]
    for place, (row, end) in enumerate(zip(ranked, ends, strict=True)):
        draw_bar(lower, place, 0, row.direct, style.text, "", style.page)
        draw_bar(lower, place, row.direct, row.users - row.direct, style.rodata, "..", "#00507d")
        say_end(lower, place, row.users, end, style)
    set_frame(lower, names, ranked[0].users, style)
    lower.tick_params(axis="y", labelsize=BODY)
    lower.set_xlabel("modules that cannot be loaded without it", fontsize=SMALL + 0.5, labelpad=6)
    set_title(lower, "What most modules lean on", 0.66, left, BODY + 1, style)
    handles = [
        Patch(facecolor=style.text, edgecolor=style.page, label="directly"),
        Patch(facecolor=style.rodata, hatch="..", edgecolor="#00507d", label="through another module"),
    ]
    set_key(lower, handles, left)
    said = "; ".join(f"{row.name} {row.users:,}" for row in ranked)
    rows = Rows(ranked, caption="What most modules lean on", columns=Foundation.COLUMNS)
    describe(lower, f"Bar chart of the modules that need each. {said}.", rows)
