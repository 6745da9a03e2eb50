# SPDX-License-Identifier: MIT
"""Draws layered graphs: boxes with arrows down to what they lean on or call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Polygon
from matplotlib.path import Path

from kmodlab.plot.parts import ROOM, Arrow, Node, Part, Place, pack
from kmodlab.plot.picture import add_axes, new_figure, wrapped
from kmodlab.plot.theme import BODY, MONO, SMALL, TITLE, Theme

__all__ = ["Look", "draw_layered"]

_MARGIN = 16.0
_POINTS = 72.0


@dataclass(frozen=True, slots=True)
class Look:
    """How a box is painted."""

    face: str
    edge: str
    width: float = 1.0
    dashed: bool = False


def draw_layered(
    ax: Axes | None, title: str, handles: Sequence[Patch | Line2D], nodes: Sequence[Node], arrows: Sequence[Arrow],
    looks: Mapping[str, Look], style: Theme,
) -> Axes:  # fmt: skip
    """Draw a graph and return its axes.

    Args:
        ax: somebody's own axes, into which it is fitted; None for a new figure.
        title, handles: of the picture; the handles are its key.
        nodes, arrows: the graph. Of arrows that go round in a circle the last one is left out.
        looks: of the boxes, by name.
        style: of the picture.
    """
    parts = _parts(nodes, arrows)
    height = pack(parts)
    if ax is None:
        ax, scale = _own_axes(title, handles, height, style), 1.0
    else:
        scale = _fit(ax, height)
        ax.set_title(title, fontsize=TITLE, fontweight="bold", color=style.ink, wrap=True)
    for part in parts:
        _draw(ax, part, looks, style, scale)
    return ax


def _parts(nodes: Sequence[Node], arrows: Iterable[Arrow]) -> list[Part]:
    """Return the graph's connected parts, the largest first, then all single boxes."""
    net: nx.DiGraph[str] = nx.DiGraph()
    net.add_nodes_from(node.name for node in nodes)
    edges = []
    for arrow in sorted(arrows, key=lambda arrow: arrow.soft):
        # Two modules may ask for each other softly, two functions call each other: the second has no way up.
        if not nx.has_path(net, arrow.target, arrow.source):
            net.add_edge(arrow.source, arrow.target)
            edges.append(arrow)
    known = {node.name: node for node in nodes}
    groups = sorted(nx.weakly_connected_components(net), key=lambda group: (-len(group), min(group)))
    parts = [Part([known[name] for name in sorted(group)], _inside(edges, group)) for group in groups if len(group) > 1]
    single = sorted(next(iter(group)) for group in groups if len(group) == 1)
    return parts + [Part([known[name]], []) for name in single]


def _inside(edges: Iterable[Arrow], group: set[str]) -> list[Arrow]:
    return [edge for edge in edges if edge.source in group]


def _own_axes(title: str, handles: Sequence[Patch | Line2D], height: float, style: Theme) -> Axes:
    lines = wrapped(title, ROOM, TITLE, bold=True)
    head = _MARGIN + 18 * lines.count("\n") + 50
    width = ROOM + 2 * _MARGIN
    figure = new_figure(width / _POINTS, (head + height + _MARGIN) / _POINTS, style)
    ax = add_axes(figure, _MARGIN / _POINTS, head / _POINTS, ROOM / _POINTS, max(height, 1) / _POINTS)
    _fit(ax, height)
    ax.set_title(
        lines, fontsize=TITLE, fontweight="bold", color=style.ink, x=0, ha="left", va="top", pad=0,
        y=1 + (head - _MARGIN) / max(height, 1), linespacing=1.25,
    )  # fmt: skip
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1 + 12 / max(height, 1)), ncols=6,
        frameon=False, fontsize=SMALL, borderpad=0, borderaxespad=0, handlelength=1.6, handletextpad=0.5,
        columnspacing=1.4,
    )  # fmt: skip
    return ax


def _fit(ax: Axes, height: float) -> float:
    """Let the axes count in points, y downwards, and return how far types must shrink to fit."""
    ax.set_xlim(0, ROOM)
    ax.set_ylim(max(height, 1), 0)
    ax.set_aspect("equal", adjustable="box")
    ax.set_axis_off()
    dpi = ax.figure.dpi
    return min(ax.bbox.width / dpi * _POINTS / ROOM, ax.bbox.height / dpi * _POINTS / max(height, 1), 1.0)


def _draw(ax: Axes, part: Part, looks: Mapping[str, Look], style: Theme, scale: float) -> None:
    for line in part.lines:
        _line(ax, line.points, style, soft=line.soft, scale=scale)
    for x, y in part.heads:
        ax.add_patch(Polygon([(x, y), (x - 3.4, y - 7), (x + 3.4, y - 7)], facecolor=style.line, lw=0, zorder=3))
    for place in part.labels:
        ax.text(
            place.x, place.y + place.height / 2, place.text, fontsize=SMALL * scale, family=MONO, color=style.quiet,
            ha="center", va="center", linespacing=1.15, zorder=4,
        )  # fmt: skip
    for place, node in part.boxes:
        _box(ax, place, node, looks[node.name], style, scale)


def _line(ax: Axes, points: list[tuple[float, float]], style: Theme, *, soft: bool, scale: float) -> None:
    """Draw from the first point straight to the second, then in a curve to the third and straight to the last."""
    (x0, y0), (_, y1), (x2, y2), (_, y3) = points
    middle = (y1 + y2) / 2
    path = Path(
        [(x0, y0), (x0, y1), (x0, middle), (x2, middle), (x2, y2), (x2, y3)],
        [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO],
    )
    dash = (0, (3, 2.2)) if soft else "-"
    ax.add_patch(PathPatch(path, fc="none", ec=style.line, lw=1.1 * scale, ls=dash, capstyle="butt", zorder=2))


def _box(ax: Axes, place: Place, node: Node, look: Look, style: Theme, scale: float) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (place.x - place.width / 2, place.y), place.width, place.height, boxstyle="round,pad=0,rounding_size=5",
            facecolor=look.face, edgecolor=look.edge, lw=look.width * scale,
            ls=(0, (3, 2)) if look.dashed else "-", zorder=5, clip_on=False,
        )
    )  # fmt: skip
    for y, text, size, colour, weight in (
        (place.y + 14.5, node.name, BODY, style.ink, "bold"),
        (place.y + 30, node.words, SMALL, style.quiet, "normal"),
    ):
        ax.text(
            place.x, y, text, fontsize=size * scale, color=colour, fontweight=weight, ha="center", va="center", zorder=6
        )
