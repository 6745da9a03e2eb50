# SPDX-License-Identifier: MIT
"""Dependencies as a layered graph: who leans on whom, and by which symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kmodlab.plot.layered import Look, draw_layered
from kmodlab.plot.parts import Arrow, Node
from kmodlab.plot.picture import describe
from kmodlab.plot.theme import Theme, ThemeName, get_theme
from kmodlab.records.dependencies import Dependency, DependencyGraph, DependencyNode
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import format_bytes

__all__ = ["dependencies"]

Modules = DependencyGraph | Iterable[LoadedModule]


def dependencies(
    graph_or_rows: Modules,
    *,
    before: Modules | None = None,
    modules: str | Iterable[str] | None = None,
    ax: Axes | None = None,
    theme: Theme | ThemeName | None = None,
) -> Axes:
    """Draw which module leans on which: those that need something above, what they need below.

    A box holds a module's name, its size in the kernel and its refcount. An arrow carries the symbols through
    which one leans on the other, up to three and how many more there are.

    Args:
        graph_or_rows: what ``vm.dependencies()`` returned, or ``vm.lsmod()``, whose arrows have no symbols.
        before: the same of an earlier moment; then the modules that have come since stand out, refcounts say from
            what to what they went, and what has nothing to do with the new ones is left out.
        modules: only these modules, and what they need and what needs them; else all.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the edges with all their symbols, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: a module is not in the graph.
    """
    style, graph = get_theme(theme), _graph(graph_or_rows)
    was = None if before is None else {node.name: node.refcount for node in _graph(before).nodes if node.loaded}
    new = [] if was is None else [node.name for node in graph.nodes if node.loaded and node.name not in was]
    names = [] if modules is None else [modules] if isinstance(modules, str) else list(modules)
    if names or modules is not None:
        graph = graph.around(*names)
    elif new:
        graph = graph.around(*new)
    title = _finding(graph, [name.replace("-", "_") for name in names])
    if was is not None:
        arrived = _arrived(graph, [node.name for node in graph.nodes if node.name in new])
        title = f"{arrived}; {re.sub(rf'^{re.escape(arrived.split()[0])} leans', 'it leans', title)}"
    nodes = [Node(node.name, _small_words(node, was or {}), "O" in node.taints) for node in graph.nodes]
    arrows = [_arrow(edge) for edge in graph.edges]
    looks = {node.name: _look(node, style, new=node.name in new) for node in graph.nodes}
    with matplotlib.rc_context(style.rc):
        ax = draw_layered(ax, title, _key(graph, new, style), nodes, arrows, looks, style)
    describe(ax, _words(graph, title), graph.edges)
    return ax


def _graph(modules: Modules) -> DependencyGraph:
    return modules if isinstance(modules, DependencyGraph) else DependencyGraph.from_rows(modules)


def _arrow(edge: Dependency) -> Arrow:
    return Arrow(edge.user, edge.provider, edge.symbols, _count(len(edge.symbols), "symbol"), edge.soft)


def _small_words(node: DependencyNode, was: dict[str, int | None]) -> str:
    """Return the second line of a module's box."""
    if not node.loaded:
        return "not loaded"
    size = "" if node.size is None else format_bytes(node.size)
    if node.refcount is None:
        return size
    before = was.get(node.name, node.refcount)
    return f"{size} · refcount {node.refcount if before == node.refcount else f'{before} → {node.refcount}'}"


def _look(node: DependencyNode, style: Theme, *, new: bool) -> Look:
    own = "O" in node.taints
    face = style.page if not node.loaded else style.own if own else style.box
    edge = style.own_edge if own else style.after if new else style.box_edge
    return Look(face, edge, 2.6 if new else 1.8 if own else 1.0, dashed=not node.loaded)


def _key(graph: DependencyGraph, new: Sequence[str], style: Theme) -> list[Patch | Line2D]:
    own = [node for node in graph.nodes if "O" in node.taints]
    handles: list[Patch | Line2D] = []
    if any(node.loaded for node in graph.nodes if node not in own):
        handles.append(Patch(facecolor=style.box, edgecolor=style.box_edge, label="part of the kernel"))
    if own:
        handles.append(Patch(facecolor=style.own, edgecolor=style.own_edge, lw=1.8, label="out of tree"))
    if any(node.name in new for node in graph.nodes):
        handles.append(Patch(facecolor="none", edgecolor=style.after, lw=2.6, label="has come since"))
    if not all(node.loaded for node in graph.nodes):
        handles.append(Patch(facecolor=style.page, edgecolor=style.box_edge, ls="--", label="not loaded"))
    if any(not edge.soft for edge in graph.edges):
        handles.append(Line2D([], [], color=style.line, lw=1.2, marker="v", markevery=[1], ms=5, label="leans on"))
    if any(edge.soft for edge in graph.edges):
        handles.append(Line2D([], [], color=style.line, lw=1.2, ls=(0, (3, 2.2)), label="asks for (softdep)"))
    return handles


def _arrived(graph: DependencyGraph, new: Sequence[str]) -> str:
    """Return what has come, in words."""
    if not new:
        return "No module has come"
    edges = graph.edges.filter(lambda edge: edge.user in new)
    tops = {edge.user for edge in edges} - {edge.provider for edge in edges}
    if len(tops) == 1 and len(new) > 1:
        return f"{min(tops)} came, and brought {_count(len(new) - 1, 'module')}"
    return f"{new[0]} came" if len(new) == 1 else f"{len(new)} modules came"


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
