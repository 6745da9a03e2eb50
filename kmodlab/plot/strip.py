# SPDX-License-Identifier: MIT
"""Strips: ranges to scale along a line, with labels below that make way for each other, and magnifying lenses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle

from kmodlab.plot.layers import Item, row_width, spread
from kmodlab.plot.picture import add_axes, new_figure, text_width
from kmodlab.plot.theme import BODY, MONO, SMALL, Theme

__all__ = ["HIGH", "ROOM", "Piece", "Strip", "draw_lens", "draw_strip", "points_axes", "strip_height"]

ROOM = 558.0
"""The width of a strip, in points."""
HIGH = 24.0
"""How high a strip is, in points."""

_CAPTION = 20.0
_LEADER = 13.0
_LABEL_LINE = 13.0
_LEAST = 1.6  # points that even the smallest piece is wide, so that it can be seen


@dataclass(frozen=True, slots=True)
class Piece:
    """A range on a strip.

    Attributes:
        start, size: in the strip's unit.
        colour, hatch, edge: how it is painted; ``edge`` is the colour of the hatch and of the outline.
        label: lines below it; without one it has none. Labels that have no room are left out, the last ones first.
    """

    start: float
    size: float
    colour: str
    hatch: str = ""
    edge: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip and what is on it.

    Attributes:
        caption: what it shows.
        note: small words at the right end of the caption's line.
        start, size: the range that it shows.
        pieces: those on it; of labels the first ones are kept when there is no room for all.
    """

    caption: str
    note: str
    start: float
    size: float
    pieces: Sequence[Piece]

    def across(self, place: float) -> float:
        """Return where a place is, in points from the left."""
        return min(max((place - self.start) / self.size, 0.0), 1.0) * ROOM


def points_axes(top: float, height: float, left: float, style: Theme, below: float = 0.0) -> Axes:
    """Return axes of a new figure that count in points, y downwards; `top`, `left` and `below` are margins around."""
    figure = new_figure((ROOM + 2 * left) / 72, (top + height + below) / 72, style)
    ax = add_axes(figure, left / 72, top / 72, ROOM / 72, height / 72)
    ax.set_xlim(0, ROOM)
    ax.set_ylim(height, 0)
    ax.set_axis_off()
    return ax


def strip_height(strip: Strip) -> float:
    """Return how high a strip is with its caption and labels, in points."""
    lines = max((piece.label.count("\n") + 1 for piece in _labelled(strip)), default=0)
    return _CAPTION + HIGH + (_LEADER + lines * _LABEL_LINE + 2 if lines else 0.0)


def draw_strip(ax: Axes, top: float, strip: Strip, style: Theme) -> None:
    """Draw a strip, its caption's top at this height."""
    y = top + _CAPTION
    ax.text(0, top + 6, strip.caption, fontsize=BODY, fontweight="bold", color=style.ink, va="center")
    ax.text(ROOM, top + 6, strip.note, fontsize=SMALL, family=MONO, color=style.quiet, va="center", ha="right")
    ax.add_patch(Rectangle((0, y), ROOM, HIGH, facecolor="none", edgecolor=style.line, lw=0.8, zorder=2))
    for piece in strip.pieces:
        left, right = strip.across(piece.start), strip.across(piece.start + piece.size)
        wide = max(right - left, _LEAST)
        ax.add_patch(
            Rectangle(
                (min(left, ROOM - wide), y), wide, HIGH, facecolor=piece.colour, hatch=piece.hatch,
                edgecolor=piece.edge or style.page, lw=0.4, zorder=3,
            )
        )  # fmt: skip
    _labels(ax, y + HIGH, strip, style)


def draw_lens(ax: Axes, upper: Strip, top: float, lower: Strip, bottom: float, style: Theme) -> None:
    """Draw that a strip shows a part of the one above it, enlarged.

    Args:
        ax: of `points_axes`.
        upper, lower: the strips.
        top, bottom: where each begins, with its caption.
        style: of the picture.
    """
    left, right = upper.across(lower.start), upper.across(lower.start + lower.size)
    left, right = min(left, ROOM - _LEAST), max(right, left + _LEAST)
    edge, below = top + _CAPTION + HIGH, top + strip_height(upper)
    # It widens only where there is no text.
    sides = [(left, edge), (left, below), (0, bottom - 4), (0, bottom + _CAPTION)]
    others = [(ROOM, bottom + _CAPTION), (ROOM, bottom - 4), (right, below), (right, edge)]
    ax.add_patch(Polygon(sides + others, facecolor=style.faint, alpha=0.38, lw=0, zorder=0))
    for (x0, y0), (x1, y1) in ((sides[1], sides[2]), (others[2], others[1])):
        ax.plot([x0, x1], [y0, y1], color=style.line, lw=0.6, zorder=1)


def _wide(label: str) -> float:
    lines = label.split("\n")
    return max([text_width(lines[0], SMALL, bold=True), *(text_width(line, SMALL) for line in lines[1:])]) + 2


def _labelled(strip: Strip) -> list[Piece]:
    """Return the pieces whose labels have room, from left to right."""
    chosen: list[Piece] = []
    for piece in strip.pieces:
        if piece.label and row_width([Item(one, 0, _wide(one.label), 1.0) for one in (*chosen, piece)]) <= ROOM:
            chosen.append(piece)
    return sorted(chosen, key=lambda piece: piece.start)


def _labels(ax: Axes, y: float, strip: Strip, style: Theme) -> None:
    pieces = _labelled(strip)
    items = [Item(piece, 0, _wide(piece.label), 1.0) for piece in pieces]
    middles = [(strip.across(piece.start) + strip.across(piece.start + piece.size)) / 2 for piece in pieces]
    spread(items, [(middle, 1.0) for middle in middles], ROOM)
    for item, middle, piece in zip(items, middles, pieces, strict=True):
        ax.plot([middle, middle, item.x], [y, y + 3, y + _LEADER - 2], color=style.line, lw=0.7, zorder=2)
        first, *rest = piece.label.split("\n")
        for number, line in enumerate((first, *rest)):
            ax.text(
                item.x, y + _LEADER + (number + 0.5) * _LABEL_LINE, line, fontsize=SMALL, ha="center", va="center",
                color=style.quiet if number else style.ink, fontweight="normal" if number else "bold", zorder=4,
            )  # fmt: skip
