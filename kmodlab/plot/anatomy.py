# SPDX-License-Identifier: MIT
"""A module's file taken apart: what of it comes into the kernel, and what the loader writes into it."""

from __future__ import annotations

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from kmodlab.plot.frame import MARGIN, WIDTH, draw_bar, label_width, say_end, set_frame, set_key, set_title
from kmodlab.plot.picture import add_axes, describe, text_width, wrapped
from kmodlab.plot.strip import ROOM, Piece, Strip, draw_lens, draw_strip, points_axes, strip_height
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.anatomy import Anatomy, RelocationTarget
from kmodlab.records.table import Rows, format_bytes

__all__ = ["anatomy"]

_TARGETS = 10
_ROW = 0.3
_BETWEEN = 30.0  # points between two strips
_UNDER = 66.0  # points for key and symbols
_COLOURS = {
    "text": ("text", "", ""),
    "rodata": ("rodata", "..", "#00507d"),
    "data": ("data", "///", "#7a5200"),
    "bss": ("bss", "\\\\\\", "#8a8000"),
    "init": ("page", "xxx", "quiet"),
    "other": ("overhead", "", ""),
}
_KINDS = {
    "text": "code", "rodata": "read-only", "data": "data", "bss": "zeros, not in the file", "init": "freed after init",
    "other": "elsewhere",
}  # fmt: skip
_PARTS = {
    "kept": "stays in the kernel",
    "init": "init",
    "linking": "for the loader",
    "debug": "for debuggers",
}


def anatomy(parts: Anatomy, *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw what a module's file is made of, its sections to scale, and what the loader writes into them.

    Args:
        parts: what ``vm.anatomy(built)`` returned.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes of the sections. ``table(ax)`` has them, and that of the figure's other axes the relocations;
        ``alt_text(ax)`` says it in words.
    """
    style = get_theme(theme)
    title = _finding(parts)
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = (MARGIN + 0.25 * lines.count("\n") + 0.42) * 72
        upper, lower = _file_strip(parts, style), _memory_strip(parts, style)
        height = strip_height(upper) + _BETWEEN + strip_height(lower)
        shown = _shown(parts.relocations)
        body = _ROW * len(shown)
        below = (0.95 + body + 0.48 + MARGIN) * 72 if shown else 0.0
        ax = points_axes(head, height, MARGIN * 72, style, below + _UNDER)
        set_title(ax, lines, head / 72 - MARGIN, MARGIN, TITLE, style)
        second = strip_height(upper) + _BETWEEN
        draw_strip(ax, 0, upper, style)
        draw_strip(ax, second, lower, style)
        draw_lens(ax, upper, 0, lower, second, style)
        _kinds_key(ax, parts, height, style)
        for number, words in enumerate(_symbols(parts)):
            ax.text(0, height + 34 + 16 * number, words, fontsize=SMALL, color=style.ink, va="center", clip_on=False)
        describe(ax, _words(parts, title), parts.sections)
        if shown:
            _relocations(ax, (head + height + _UNDER) / 72 + 0.95, body, shown, parts, style)
    return ax


def _finding(parts: Anatomy) -> str:
    kept = sum(part.size for part in parts.parts if part.use == "kept")
    places = sum(row.places for row in parts.relocations)
    tail = f"; the loader writes {places:,} addresses into it" if places else ""
    return f"Of the {format_bytes(parts.size)} of {parts.name}.ko, {format_bytes(kept)} stay in the kernel{tail}"


def _words(parts: Anatomy, title: str) -> str:
    file = ", ".join(f"{format_bytes(part.size)} {part.meaning}" for part in parts.parts)
    rows = parts.sections
    sections = ", ".join(f"{row.name} {format_bytes(row.size)}" for row in rows[:8])
    more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
    return f"A file to scale, and its sections enlarged. {title}. The file: {file}. Sections: {sections}{more}."


def _file_strip(parts: Anatomy, style: Theme) -> Strip:
    looks = {
        "kept": (style.text, "", ""), "init": (style.page, "xxx", style.quiet),
        "linking": (style.overhead, "", ""), "debug": (style.faint, "", ""),
    }  # fmt: skip
    pieces, at = [], 0.0
    for part in parts.parts:
        label = f"{_PARTS[part.use]}\n{format_bytes(part.size)}"
        pieces.append(Piece(at, part.size, *looks[part.use], label=label))
        at += part.size
    return Strip(f"The file, {format_bytes(parts.size)}", "", 0, at or 1, pieces)


def _symbols(parts: Anatomy) -> list[str]:
    """Return a line of the symbols that it needs, the most used first, and one of those that it offers."""
    used = [row.name for row in parts.relocations if row.imported]
    needed = [*used, *(name for name in parts.file.imports if name not in used)]
    return [_fitted("Symbols in", needed), _fitted("Symbols out", [one.name for one in parts.file.exports])]


def _fitted(words: str, names: list[str]) -> str:
    """Return as many names as a line holds."""
    line, shown = f"{words}, {len(names)}:" if names else f"{words}: none", 0
    for name in names:
        longer = f"{line}{',' if shown else ''} {name}"
        if text_width(f"{longer}, …", SMALL) > ROOM:
            return f"{line}, …"
        line, shown = longer, shown + 1
    return line


def _memory_strip(parts: Anatomy, style: Theme) -> Strip:
    order = list(_COLOURS)
    rows = sorted(parts.file.sections, key=lambda row: (order.index(row.kind), -row.size))
    pieces, at = [], 0.0
    for row in rows:
        colour, hatch, edge = _COLOURS[row.kind]
        label = f"{row.name}\n{format_bytes(row.size)}"
        ink = getattr(style, edge, edge)
        pieces.append(Piece(at, row.size, getattr(style, colour), hatch, ink, label))
        at += row.size
    # The largest are named first.
    return Strip(
        "What gets memory, by section", f"{len(rows)} sections, {format_bytes(round(at))}", 0, at or 1,
        sorted(pieces, key=lambda piece: -piece.size),
    )  # fmt: skip


def _kinds_key(ax: Axes, parts: Anatomy, height: float, style: Theme) -> None:
    kinds = [kind for kind in _COLOURS if parts.file.memory[kind]]  # type: ignore[index]
    handles = []
    for kind in kinds:
        colour, hatch, edge = _COLOURS[kind]
        ink = getattr(style, edge, edge) or style.page
        handles.append(Patch(facecolor=getattr(style, colour), hatch=hatch, edgecolor=ink, label=_KINDS[kind]))
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, -6 / height), ncols=6, frameon=False, fontsize=SMALL,
        borderpad=0, borderaxespad=0, handlelength=1.5, handletextpad=0.45, columnspacing=1.2,
    )  # fmt: skip


def _shown(rows: Rows[RelocationTarget]) -> list[RelocationTarget]:
    """Return the most frequent targets, and all others in one row."""
    few, rest = list(rows[:_TARGETS]), rows[_TARGETS:]
    if rest:
        places = sum(row.places for row in rest)
        few.append(RelocationTarget(f"{len(rest)} others", any(row.imported for row in rest), places))
    return few


def _relocations(
    ax: Axes, top: float, body: float, shown: list[RelocationTarget], parts: Anatomy, style: Theme
) -> None:
    names = [row.name for row in shown]
    left = label_width(names)
    most = max(row.places for row in shown)
    right = MARGIN + text_width(f"{most:,}", BODY) / 72 + 0.15
    lower = add_axes(ax.figure, left, top, WIDTH - left - right, body)  # type: ignore[arg-type]
    for place, row in enumerate(shown):
        look = (style.data, "///", "#7a5200") if row.imported else (style.before, "", style.page)
        if row.name == f"{len(parts.relocations) - _TARGETS} others":
            look = (style.faint, "", style.page)
        draw_bar(lower, place, 0, row.places, *look)
        say_end(lower, place, row.places, f"{row.places:,}", style, size=BODY)
    set_frame(lower, names, most, style)
    lower.set_xlabel("places in the module that get this address", fontsize=SMALL + 0.5, labelpad=6)
    outside = sum(row.places for row in parts.relocations if row.imported)
    title = f"Addresses that the loader writes in: {outside:,} of them lie outside the module"
    set_title(lower, title, 0.66, left, BODY + 1, style)
    set_key(
        lower,
        [
            Patch(facecolor=style.before, edgecolor=style.page, label="the module's own"),
            Patch(facecolor=style.data, hatch="///", edgecolor="#7a5200", label="a symbol from outside"),
        ],
        left,
    )
    said = "; ".join(f"{row.name} {row.places}" for row in shown)
    describe(lower, f"Bar chart of relocations by target. {title}. {said}.", parts.relocations)
