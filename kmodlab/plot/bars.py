# SPDX-License-Identifier: MIT
"""Memory as bars: every module by kind of section, and the kernel's totals before and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from kmodlab.errors import UsageError
from kmodlab.plot.frame import (
    MARGIN,
    ROW,
    WIDTH,
    draw_bar,
    framed_axes,
    label_width,
    say_end,
    set_frame,
    set_key,
    set_title,
    unit_of,
    unit_words,
)
from kmodlab.plot.picture import add_axes, describe, new_figure, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.memory import MemoryFigure, MemorySnapshot, ModuleMemory
from kmodlab.records.table import Rows, format_bytes

__all__ = ["memory", "memory_change"]

_MOST_ROWS = 24
_KINDS = ("text", "rodata", "data", "bss", "overhead")
_WORDS = {
    "text": "text (code)",
    "rodata": "rodata",
    "data": "data",
    "bss": "bss",
    "overhead": "symbols, page ends",
    "init": "init, freed",
}
_HATCHES = {"text": "", "rodata": "..", "data": "///", "bss": "\\\\\\", "overhead": ""}


def memory(
    snapshot: MemorySnapshot,
    *,
    before: MemorySnapshot | None = None,
    modules: str | Iterable[str] | None = None,
    ax: Axes | None = None,
    theme: Theme | ThemeName | None = None,
) -> Axes:
    """Draw the bytes of each loaded module by kind of section, as bars.

    Init code and data that the kernel has freed stand hatched behind the bar: they are no longer there.

    Args:
        snapshot: what ``vm.memory()`` returned.
        before: an earlier snapshot; then the modules that have come since are drawn, and below them the
            kernel's slab and vmalloc memory before and after.
        modules: only these modules; else all of them, the smallest in one bar if they are many.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes of the modules' bars. ``table(ax)`` has the numbers, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: a module is not in the snapshot, or ``before`` is given together with ``ax``.
    """
    if before is not None and ax is not None:
        raise UsageError("draw memory: before= needs a second panel and ax= is one; draw memory_change() there")
    style = get_theme(theme)
    rows = _chosen(snapshot, before, modules)
    with matplotlib.rc_context(style.rc):
        title = _finding(rows, snapshot, before)
        if ax is not None:
            _bars(ax, rows, style)
            ax.set_title(title, fontsize=TITLE, fontweight="bold", color=style.ink, wrap=True)
            ax.legend(handles=_legend(rows, style), fontsize=SMALL, ncols=3, loc="upper right")
        else:
            ax = _memory_figure(rows, title, snapshot, before, style)
    describe(ax, _words(rows, title), rows)
    return ax


def memory_change(
    before: MemorySnapshot,
    after: MemorySnapshot,
    *,
    ax: Axes | None = None,
    theme: Theme | ThemeName | None = None,
) -> Axes:
    """Draw the kernel's memory totals before and after: all modules, slab, vmalloc, per-CPU.

    Returns:
        The axes. ``table(ax)`` has the numbers, ``alt_text(ax)`` says it in words.
    """
    style = get_theme(theme)
    figures = _totals(before, after)
    with matplotlib.rc_context(style.rc):
        left, body = label_width(row.name for row in figures), 0.58 * len(figures)
        title, handles = _change_finding(figures), _change_legend(style)
        ax = framed_axes(ax, title, handles, style, left=left, right=1.05, body=body)
        _pairs(ax, figures, style)
    describe(ax, _change_words(figures), figures)
    return ax


def _memory_figure(
    rows: Rows[ModuleMemory], title: str, snapshot: MemorySnapshot, before: MemorySnapshot | None, style: Theme
) -> Axes:
    lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
    figures = _totals(before, snapshot) if before is not None else Rows[MemoryFigure]()
    names = [row.name for row in rows] + [row.name for row in figures]
    left = label_width(names)
    head = MARGIN + 0.25 * lines.count("\n") + 0.68
    body = max(ROW * len(rows), 0.5)
    below = 0.58 * len(figures) + 1.62 if figures else 0.0
    figure = new_figure(WIDTH, head + body + 0.75 + below, style)
    ax = add_axes(figure, left, head, WIDTH - left - 1.05, body)
    _bars(ax, rows, style)
    set_title(ax, lines, head - MARGIN, left, TITLE, style)
    set_key(ax, _legend(rows, style), left)
    if before is not None:
        lower = add_axes(figure, left, head + body + 1.58, WIDTH - left - 1.05, 0.58 * len(figures))
        _pairs(lower, figures, style)
        set_title(lower, _change_finding(figures), 0.66, left, BODY + 1, style)
        set_key(lower, _change_legend(style), left)
        describe(lower, _change_words(figures), figures)
    return ax


def _chosen(
    snapshot: MemorySnapshot, before: MemorySnapshot | None, modules: str | Iterable[str] | None
) -> Rows[ModuleMemory]:
    """Return the modules to draw, the largest first; many small ones become one row."""
    rows = snapshot.modules
    if modules is not None:
        names = [modules] if isinstance(modules, str) else list(modules)
        wanted = {name.replace("-", "_") for name in names}
        missing = wanted - {row.name for row in rows}
        if missing:
            raise UsageError(f"draw {min(missing)}: not among the loaded modules; load it, then take the snapshot")
        rows = rows.filter(lambda row: row.name in wanted)
    elif before is not None and snapshot.difference(before).loaded:
        rows = snapshot.difference(before).loaded
    ordered = sorted(rows, key=lambda row: (-row.size, row.name))
    shown, rest = ordered[:_MOST_ROWS], ordered[_MOST_ROWS:]
    if len(rest) > 1:
        shown.append(_together(rest))
    else:
        shown += rest
    return Rows(shown, caption=rows.caption, columns=rows.columns)


def _together(rest: Sequence[ModuleMemory]) -> ModuleMemory:
    sums = {name: sum(getattr(row, name) for row in rest) for name in ("size", *_KINDS, "init", "init_held", "percpu")}
    return ModuleMemory(f"{len(rest)} smaller ones", **sums, known=all(row.known for row in rest))


def _finding(rows: Rows[ModuleMemory], snapshot: MemorySnapshot, before: MemorySnapshot | None) -> str:
    """Return the picture's title: what there is to see."""
    if not rows:
        return "No module is loaded"
    kept, freed = sum(row.size for row in rows), sum(row.init_freed for row in rows)
    tail = f"; {format_bytes(freed)} of init code and data was freed" if freed else ""
    if len(rows) == 1:
        return f"{rows[0].name} keeps {format_bytes(kept)}{tail}"
    number = len(snapshot.modules) if kept == snapshot.modules_size else len(rows)
    new = "new " if before is not None else ""
    if len(rows) == number and rows[0].size == rows[-1].size:
        return f"{number} {new}modules keep {format_bytes(rows[0].size)} each, {format_bytes(kept)} together{tail}"
    largest = f"{rows[0].name} {format_bytes(rows[0].size)} of it"
    return f"{number} {new}modules keep {format_bytes(kept)}, {largest}{tail}"


def _words(rows: Rows[ModuleMemory], title: str) -> str:
    parts = []
    for row in rows[:6]:
        kinds = ", ".join(f"{name} {format_bytes(getattr(row, name))}" for name in _KINDS)
        freed = f", init freed {format_bytes(row.init_freed)}" if row.init_freed else ""
        parts.append(f"{row.name} {format_bytes(row.size)}" + (f" ({kinds}{freed})" if row.known else ""))
    more = f"; and {len(rows) - 6} more" if len(rows) > 6 else ""
    return f"Bar chart of module memory. {title}. {'; '.join(parts)}{more}."


def _legend(rows: Rows[ModuleMemory], style: Theme) -> list[Patch]:
    handles = [
        Patch(facecolor=getattr(style, name), hatch=_HATCHES[name], edgecolor=_edge(name, style), label=_WORDS[name])
        for name in _KINDS
        if any(getattr(row, name) for row in rows)
    ]
    if not all(row.known for row in rows):
        handles.append(Patch(facecolor=style.faint, edgecolor=style.quiet, label="kind not known"))
    if any(row.init_freed for row in rows):
        handles.append(
            Patch(facecolor="none", hatch="xxx", edgecolor=style.quiet, ls=(0, (2, 1.5)), label=_WORDS["init"])
        )
    return handles


def _edge(name: str, style: Theme) -> str:
    return style.page if not _HATCHES[name] else {"rodata": "#00507d", "data": "#7a5200", "bss": "#8a8000"}[name]


def _bars(ax: Axes, rows: Rows[ModuleMemory], style: Theme) -> None:
    widest = max((row.size + row.init_freed for row in rows), default=1)
    unit, step = unit_of(widest)
    for place, row in enumerate(rows):
        left = 0.0
        for name in _KINDS:
            size = getattr(row, name) / step
            if size:
                draw_bar(ax, place, left, size, getattr(style, name), _HATCHES[name], _edge(name, style))
                left += size
        if not row.known:
            draw_bar(ax, place, left, row.size / step - left, style.faint, "", style.quiet)
        left = row.size / step
        freed = row.init_freed / step
        if freed:
            draw_bar(ax, place, left, freed, "none", "xxx", style.quiet, dashed=True)
        # What stands behind what was freed would be taken for the size of both.
        kept = " kept" if row.init_freed > widest / 20 else ""
        say_end(ax, place, left + freed, format_bytes(row.size) + kept, style, size=BODY)
    set_frame(ax, [row.name for row in rows], widest / step, style)
    ax.set_xlabel(unit_words(unit), fontsize=SMALL + 0.5, labelpad=6)


def _totals(before: MemorySnapshot, after: MemorySnapshot) -> Rows[MemoryFigure]:
    return after.difference(before).figures.filter(lambda row: row.name not in ("free", "per-CPU"))


def _signed(size: int) -> str:
    return "±0" if not size else f"{'+' if size > 0 else '−'}{format_bytes(abs(size))}"


def _change_finding(figures: Rows[MemoryFigure]) -> str:
    slab, vmalloc = figures.named("slab"), figures.named("vmalloc")
    return f"Before and after: slab {_signed(slab.change)}, vmalloc {_signed(vmalloc.change)}"


def _change_words(figures: Rows[MemoryFigure]) -> str:
    parts = [f"{row.name} {format_bytes(row.before)} to {format_bytes(row.after)}" for row in figures]
    return f"Bar chart of the kernel's memory. {_change_finding(figures)}. {'; '.join(parts)}."


def _change_legend(style: Theme) -> list[Patch]:
    return [
        Patch(facecolor=style.before, hatch="///", edgecolor=style.page, label="before"),
        Patch(facecolor=style.after, edgecolor=style.page, label="after"),
    ]


def _pairs(ax: Axes, figures: Rows[MemoryFigure], style: Theme) -> None:
    widest = max((max(row.before, row.after) for row in figures), default=1)
    unit, step = unit_of(widest)
    for place, row in enumerate(figures):
        draw_bar(ax, place - 0.19, 0, row.before / step, style.before, "///", style.page, height=0.34)
        draw_bar(ax, place + 0.19, 0, row.after / step, style.after, "", style.page, height=0.34)
        say_end(ax, place - 0.19, row.before / step, format_bytes(row.before), style, colour=style.quiet)
        say_end(ax, place + 0.19, row.after / step, _signed(row.change), style, bold=True)
    set_frame(ax, [row.name for row in figures], widest / step, style)
    ax.set_xlabel(unit_words(unit), fontsize=SMALL + 0.5, labelpad=6)
