# SPDX-License-Identifier: MIT
"""The whole tree of module files as bars, and the little of it that is loaded."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from kmodlab.plot.frame import ROW, draw_bar, framed_axes, label_width, say_end, set_frame, unit_of, unit_words
from kmodlab.plot.picture import describe
from kmodlab.plot.theme import SMALL, Theme, ThemeName, get_theme
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import Rows, format_bytes
from kmodlab.records.tree import TreeFolder, parse_tree

__all__ = ["module_tree"]

_MOST_ROWS = 14
_ROOM = 1.75  # inches at the right, for the words behind a bar


def module_tree(
    files: str,
    loaded: Iterable[LoadedModule],
    *,
    ax: Axes | None = None,
    theme: Theme | ThemeName | None = None,
) -> Axes:
    r"""Draw how large the kernel's module files are, by folder, and what of them is loaded.

    Args:
        files: what ``find . -name '*.ko*' -printf '%s %P\n'`` prints in ``/lib/modules/RELEASE``.
        loaded: what ``vm.lsmod()`` returned.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the numbers, ``alt_text(ax)`` says it in words.

    Raises:
        RecordParseError: ``files`` is not of that form.
    """
    style = get_theme(theme)
    rows = parse_tree(files, {row.name for row in loaded})
    shown, title = _shown(rows), _finding(rows)
    with matplotlib.rc_context(style.rc):
        handles = [
            Patch(facecolor=style.before, edgecolor=style.page, label="on disk only"),
            Patch(facecolor=style.text, edgecolor=style.page, label="loaded"),
        ]
        left, body = label_width(row.name for row in shown), max(ROW * len(shown), 0.5)
        ax = framed_axes(ax, title, handles, style, left=left, right=_ROOM, body=body)
        _bars(ax, shown, style)
    describe(ax, _words(shown, title), rows)
    return ax


def _shown(rows: Rows[TreeFolder]) -> Rows[TreeFolder]:
    """Return the largest folders, and all others as one."""
    few, rest = rows[:_MOST_ROWS], rows[_MOST_ROWS:]
    if not rest:
        return rows
    sums = [sum(getattr(row, name) for row in rest) for name in ("modules", "size", "loaded", "loaded_size")]
    return Rows([*few, TreeFolder(f"{len(rest)} other folders", *sums)], caption=rows.caption, columns=rows.columns)


def _finding(rows: Rows[TreeFolder]) -> str:
    modules, size, loaded, loaded_size = (
        sum(getattr(row, name) for row in rows) for name in ("modules", "size", "loaded", "loaded_size")
    )
    share = f", {100 * loaded_size / size:.1f} %" if size else ""
    return f"{loaded} of {modules:,} modules are loaded; {format_bytes(loaded_size)} of {format_bytes(size)}{share}"


def _words(rows: Rows[TreeFolder], title: str) -> str:
    parts = [f"{row.name} {format_bytes(row.size)}, {row.loaded} of {row.modules} loaded" for row in rows]
    return f"Bar chart of module files by folder. {title}. {'; '.join(parts)}."


def _bars(ax: Axes, rows: Rows[TreeFolder], style: Theme) -> None:
    widest = max((row.size for row in rows), default=1)
    unit, step = unit_of(widest)
    for place, row in enumerate(rows):
        draw_bar(ax, place, 0, row.size / step, style.before, "", style.page)
        if row.loaded_size:
            draw_bar(ax, place, 0, row.loaded_size / step, style.text, "", style.page)
        said = f"{row.loaded} of {row.modules:,}" if row.loaded else f"none of {row.modules:,}"
        words = f"{format_bytes(row.size)}, {said}"
        say_end(ax, place, row.size / step, words, style, colour="" if row.loaded else style.quiet)
    set_frame(ax, [row.name for row in rows], widest / step, style)
    ax.set_xlabel(f"files on disk, {unit_words(unit)}", fontsize=SMALL + 0.5, labelpad=6)
