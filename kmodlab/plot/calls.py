# SPDX-License-Identifier: MIT
"""Who calls whom in a module: its functions as a layered graph, the callers above."""

from __future__ import annotations

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kmodlab.errors import UsageError
from kmodlab.plot.layered import Look, draw_layered
from kmodlab.plot.parts import Arrow, Node
from kmodlab.plot.picture import describe
from kmodlab.plot.theme import Theme, ThemeName, get_theme
from kmodlab.records.functions import CallEdge, FunctionTime, FunctionTrace
from kmodlab.records.table import Rows

__all__ = ["calls"]

_KERNEL = "the kernel"
_MOST_ARROWS = 6  # from the kernel; of more one could not be told from the other


def calls(trace: FunctionTrace, *, ax: Axes | None = None, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw which functions of the modules the kernel called, and which of them called each other, and how often.

    Args:
        trace: what ``vm.functions("scribble", command)`` returned.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has who called whom, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: no function ran.
    """
    if not trace.calls:
        raise UsageError("draw calls: none of the module's functions ran; trace a command that uses it")
    style, edges, title = get_theme(theme), trace.edges, _finding(trace)
    direct = {edge.function: edge.calls for edge in edges if not edge.caller}
    crowded = len(direct) > _MOST_ARROWS
    nodes = [Node(row.name, _small_words(row, edges, direct if crowded else {})) for row in trace.functions]
    arrows = [
        Arrow(edge.caller or _KERNEL, edge.function, (f"{edge.calls:,}×",), f"{edge.calls:,}×")
        for edge in edges
        if edge.caller != edge.function and (edge.caller or not crowded)
    ]
    if not crowded:
        nodes.append(Node(_KERNEL, _count(sum(direct.values()), "call"), first=True))
    looks = {
        node.name: Look(style.own, style.own_edge, 1.8) if node.name in direct else Look(style.page, style.own_edge)
        for node in nodes
    }
    looks[_KERNEL] = Look(style.box, style.box_edge)
    with matplotlib.rc_context(style.rc):
        ax = draw_layered(ax, title, _key(len(direct), len(trace.functions), style), nodes, arrows, looks, style)
    describe(ax, f"Graph of calls. {title}. {_words(edges)}.", edges)
    return ax


def _small_words(row: FunctionTime, edges: Rows[CallEdge], direct: dict[str, int]) -> str:
    """Return the second line of a function's box; of calls by the kernel only where no arrows show them."""
    words = [f"{row.median} a call"]
    if row.name in direct:
        words.append(f"kernel {direct[row.name]:,}×")
    words += [f"itself {edge.calls:,}×" for edge in edges if edge.caller == edge.function == row.name]
    return " · ".join(words)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _often(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _finding(trace: FunctionTrace) -> str:
    edges = trace.edges
    direct = {edge.function for edge in edges if not edge.caller}
    inner = {edge.function for edge in edges} - direct
    names = ", ".join(trace.modules)
    first = f"The kernel called {_count(len(direct), 'function')} of {names}"
    if not inner:
        return f"{first}; none called another"
    return f"{first}; these called {len(inner)} more"


def _words(edges: Rows[CallEdge]) -> str:
    return "; ".join(f"{edge.called_by} called {edge.function} {_often(edge.calls)}" for edge in edges)


def _key(direct: int, functions: int, style: Theme) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=style.own, edgecolor=style.own_edge, lw=1.8, label="called by the kernel")
    ]
    if functions > direct:
        handles.append(Patch(facecolor=style.page, edgecolor=style.own_edge, label="called by the module only"))
    handles.append(Line2D([], [], color=style.line, lw=1.2, marker="v", markevery=[1], ms=5, label="calls, so often"))
    return handles
