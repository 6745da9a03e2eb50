# SPDX-License-Identifier: MIT
"""Dependencies as a layered graph: who leans on whom, and by which symbols."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib
import networkx as nx
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Polygon
from matplotlib.path import Path

from kmodlab.plot.parts import ROOM, Part, Place, pack, small_words
from kmodlab.plot.picture import add_axes, describe, new_figure, wrapped
from kmodlab.plot.theme import BODY, MONO, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.dependencies import Dependency, DependencyGraph, DependencyNode
from kmodlab.records.modules import LoadedModule

__all__ = ["dependencies"]

_MARGIN = 16.0
_POINTS = 72.0


def dependencies(
    graph_or_rows: DependencyGraph | Iterable[LoadedModule],
    *,
    modules: str | Iterable[str] | None = None,
    ax: Axes | None = None,
    theme: Theme | ThemeName | None = None,
) -> Axes:
    """Draw which module leans on which: those that need something above, what they need below.

    A box holds a module's name, its size in the kernel and its refcount. An arrow carries the symbols through
    which one leans on the other, up to three and how many more there are.

    Args:
        graph_or_rows: what ``vm.dependencies()`` returned, or ``vm.lsmod()``, whose arrows have no symbols.
        modules: only these modules, and what they need and what needs them; else all.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the edges with all their symbols, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: a module is not in the graph.
    """
    style = get_theme(theme)
    graph = graph_or_rows if isinstance(graph_or_rows, DependencyGraph) else DependencyGraph.from_rows(graph_or_rows)
    names = [] if modules is None else [modules] if isinstance(modules, str) else list(modules)
    if modules is not None:
        graph = graph.around(*names)
    title = _finding(graph, [name.replace("-", "_") for name in names])
    with matplotlib.rc_context(style.rc):
        parts = _parts(graph)
        height = pack(parts)
        if ax is None:
            ax = _own_axes(graph, title, height, style)
            scale = 1.0
        else:
            scale = _fit(ax, height)
            ax.set_title(title, fontsize=TITLE, fontweight="bold", color=style.ink, wrap=True)
        for part in parts:
            _draw(ax, part, style, scale)
    describe(ax, _words(graph, title), graph.edges)
    return ax


def _own_axes(graph: DependencyGraph, title: str, height: float, style: Theme) -> Axes:
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
        handles=_key(graph, style), loc="lower left", bbox_to_anchor=(0, 1 + 12 / max(height, 1)), ncols=6,
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


def _parts(graph: DependencyGraph) -> list[Part]:
    """Return the graph's connected parts, the largest first, then all single modules as one part."""
    net: nx.DiGraph[str] = nx.DiGraph()
    net.add_nodes_from(node.name for node in graph.nodes)
    edges = []
    for edge in sorted(graph.edges, key=lambda edge: edge.soft):
        # Two modules may ask for each other softly; the second arrow would have no way up.
        if not (edge.soft and nx.has_path(net, edge.provider, edge.user)):
            net.add_edge(edge.user, edge.provider)
            edges.append(edge)
    nodes = {node.name: node for node in graph.nodes}
    groups = sorted(nx.weakly_connected_components(net), key=lambda group: (-len(group), min(group)))
    parts = [Part([nodes[name] for name in sorted(group)], _inside(edges, group)) for group in groups if len(group) > 1]
    single = sorted(next(iter(group)) for group in groups if len(group) == 1)
    return parts + [Part([nodes[name]], []) for name in single]


def _inside(edges: Iterable[Dependency], group: set[str]) -> list[Dependency]:
    return [edge for edge in edges if edge.user in group]


def _draw(ax: Axes, part: Part, style: Theme, scale: float) -> None:
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
        _box(ax, place, node, style, scale)


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


def _box(ax: Axes, place: Place, node: DependencyNode, style: Theme, scale: float) -> None:
    own = "O" in node.taints
    ax.add_patch(
        FancyBboxPatch(
            (place.x - place.width / 2, place.y), place.width, place.height, boxstyle="round,pad=0,rounding_size=5",
            facecolor=style.page if not node.loaded else style.own if own else style.box,
            edgecolor=style.own_edge if own else style.box_edge, lw=(1.8 if own else 1.0) * scale,
            ls="-" if node.loaded else (0, (3, 2)), zorder=5, clip_on=False,
        )
    )  # fmt: skip
    for y, text, size, colour, weight in (
        (place.y + 14.5, node.name, BODY, style.ink, "bold"),
        (place.y + 30, small_words(node), SMALL, style.quiet, "normal"),
    ):
        ax.text(
            place.x, y, text, fontsize=size * scale, color=colour, fontweight=weight, ha="center", va="center", zorder=6
        )


def _key(graph: DependencyGraph, style: Theme) -> list[Patch | Line2D]:
    own = [node for node in graph.nodes if "O" in node.taints]
    handles: list[Patch | Line2D] = []
    if any(node.loaded for node in graph.nodes if node not in own):
        handles.append(Patch(facecolor=style.box, edgecolor=style.box_edge, label="part of the kernel"))
    if own:
        handles.append(Patch(facecolor=style.own, edgecolor=style.own_edge, lw=1.8, label="out of tree"))
    if not all(node.loaded for node in graph.nodes):
        handles.append(Patch(facecolor=style.page, edgecolor=style.box_edge, ls="--", label="not loaded"))
    if any(not edge.soft for edge in graph.edges):
        handles.append(Line2D([], [], color=style.line, lw=1.2, marker="v", markevery=[1], ms=5, label="leans on"))
    if any(edge.soft for edge in graph.edges):
        handles.append(Line2D([], [], color=style.line, lw=1.2, ls=(0, (3, 2.2)), label="asks for (softdep)"))
    return handles


def _finding(graph: DependencyGraph, names: list[str]) -> str:
    """Return the picture's title: what there is to see."""
    hard = graph.edges.filter(lambda edge: not edge.soft)
    if len(names) == 1 and len(hard) != 1:
        return _finding_of_one(graph, names[0])
    if not hard:
        return f"None of {len(graph.nodes)} modules leans on another" if len(graph.nodes) > 1 else "One module, alone"
    if len(hard) == 1:
        return f"{hard[0].user} leans on {hard[0].provider}{_through(hard)}"
    users = {edge.user for edge in hard}
    if len(users) == 1:
        return f"{users.pop()} leans on {len(hard)} other modules"
    counts = {node.name: sum(edge.provider == node.name for edge in hard) for node in graph.nodes}
    most = max(counts, key=lambda name: counts[name])
    tail = f"; {counts[most]} of them on {most}" if counts[most] > 1 else ""
    return f"{len(users)} of {len(graph.nodes)} modules lean on another{tail}"


def _finding_of_one(graph: DependencyGraph, name: str) -> str:
    down = graph.providers(name).filter(lambda edge: not edge.soft)
    up = graph.users(name).filter(lambda edge: not edge.soft)
    leans = f"{name} leans on {_count(len(down), 'module')}{_through(down)}" if down else ""
    held = (
        f"{_count(len(up), 'module')} {'leans' if len(up) == 1 else 'lean'} on {'it' if down else name}" if up else ""
    )
    return "; ".join(part for part in (leans, held) if part) or f"{name} leans on no module, and none leans on it"


def _through(edges: Iterable[Dependency]) -> str:
    symbols = sum(len(edge.symbols) for edge in edges)
    return f" through {_count(symbols, 'symbol')}" if symbols else ""


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _words(graph: DependencyGraph, title: str) -> str:
    parts = [
        f"{edge.user} {'asks for' if edge.soft else 'leans on'} {edge.provider}"
        + (f" ({', '.join(edge.symbols[:3])}{' …' if len(edge.symbols) > 3 else ''})" if edge.symbols else "")
        for edge in graph.edges[:20]
    ]
    more = f"; and {len(graph.edges) - 20} more" if len(graph.edges) > 20 else ""
    return f"Graph of module dependencies. {title}. {'; '.join(parts)}{more}." if parts else f"{title}."
