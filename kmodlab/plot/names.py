# SPDX-License-Identifier: MIT
"""Names and inodes: a tree of directory entries on the left, and on the right the inodes that they lead to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import NullLocator

from kmodlab.errors import UsageError
from kmodlab.plot.picture import add_axes, describe, new_figure, text_width, wrapped
from kmodlab.plot.theme import BODY, MONO, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.table import Column, Rows, format_bytes

__all__ = ["DirectoryEntry", "names"]

_WIDTH = 8.2
_MARGIN = 16.0
_ROW = 27.0
_INDENT = 20.0
_MOST = 30
_LINE = re.compile(r"^(?P<inode>\d+) (?P<kind>\w) (?P<links>\d+) (?P<size>\d+) (?P<path>.+)$")


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A name in a directory, and the inode that it leads to.

    Attributes:
        path: from the root of the tree; ``/`` for the root itself.
        inode: its number.
        kind: ``d`` for a directory, ``f`` for a file, as ``find`` says it.
        links: how many names the inode has.
        size: in bytes.
    """

    path: str
    inode: int
    kind: str
    links: int
    size: int

    @property
    def depth(self) -> int:
        """How many directories it lies in."""
        return 0 if self.path == "/" else self.path.count("/")

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2] or "/"


_COLUMNS = (Column("path"), Column("inode", kind="number"), Column("kind"), Column("links", kind="number"),
            Column("size", kind="bytes"))  # fmt: skip


def names(listing: str, *, ax: Axes | None = None, theme: Theme | ThemeName | None = None) -> Axes:
    r"""Draw the names of a tree and the inodes that they lead to; several names may lead to one.

    Args:
        listing: what ``find DIR -printf '%i %y %n %s /%P\n'`` prints.
        ax: where to draw; else a new figure.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the names, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: the listing is empty, too long to draw, or has other lines.
    """
    entries = _entries(listing)
    style = get_theme(theme)
    title = _finding(entries)
    with matplotlib.rc_context(style.rc):
        if ax is None:
            head = wrapped(title, _WIDTH * 72 - 2 * _MARGIN, TITLE, bold=True)
            top = (_MARGIN + 18 * (1 + head.count("\n")) + 10) / 72
            body = _ROW * (len(entries) + 1) / 72
            figure = new_figure(_WIDTH, top + body + _MARGIN / 72, style)
            ax = add_axes(figure, _MARGIN / 72, top, _WIDTH - 2 * _MARGIN / 72, body)
            ax.set_title(head, fontsize=TITLE, fontweight="bold", color=style.ink, loc="left", pad=10, linespacing=1.25)
        else:
            ax.set_title(title, fontsize=TITLE, fontweight="bold", color=style.ink, wrap=True)
        _draw(ax, entries, style)
    describe(ax, f"Tree of names with the inodes that they lead to. {title}. {_words(entries)}.", entries)
    return ax


def _entries(listing: str) -> Rows[DirectoryEntry]:
    found = []
    for line in listing.splitlines():
        match = _LINE.match(line)
        if not match:
            raise UsageError(f"draw names: {line!r} is no line of find -printf '%i %y %n %s /%P\\n'")
        found.append(
            DirectoryEntry(match["path"], int(match["inode"]), match["kind"], int(match["links"]), int(match["size"]))
        )
    if not 1 <= len(found) <= _MOST:
        raise UsageError(f"draw names: {len(found)} names; give 1 to {_MOST}")
    return Rows(sorted(found, key=lambda entry: entry.path.split("/")), caption="Names and inodes", columns=_COLUMNS)


def _by_inode(entries: Iterable[DirectoryEntry]) -> dict[int, list[DirectoryEntry]]:
    inodes: dict[int, list[DirectoryEntry]] = {}
    for entry in entries:
        inodes.setdefault(entry.inode, []).append(entry)
    return inodes


def _finding(entries: Rows[DirectoryEntry]) -> str:
    inodes = _by_inode(entries)
    text = f"{len(entries)} name{'s' * (len(entries) > 1)} lead to {len(inodes)} inode{'s' * (len(inodes) > 1)}"
    if len(entries) == 1:
        text = "1 name leads to 1 inode"
    shared = next((few for few in inodes.values() if len(few) > 1), None)
    return f"{text}; {' and '.join(entry.path for entry in shared)} are one file" if shared else text


def _words(entries: Rows[DirectoryEntry]) -> str:
    return "; ".join(f"{entry.path} leads to {_inode_words(entry)}" for entry in entries)


def _inode_words(entry: DirectoryEntry) -> str:
    what = "directory" if entry.kind == "d" else format_bytes(entry.size) if entry.kind == "f" else "other"
    return f"inode {entry.inode} · {what} · {entry.links} link{'s' * (entry.links != 1)}"


def _draw(ax: Axes, entries: Rows[DirectoryEntry], style: Theme) -> None:
    """Draw in points, y downwards: a row for each name, and each inode at the middle of its names."""
    rows = {id(entry): _ROW * (number + 1.5) for number, entry in enumerate(entries)}
    inodes = sorted(_by_inode(entries).values(), key=lambda few: sum(rows[id(e)] for e in few) / len(few))
    width = _WIDTH * 72 - 2 * _MARGIN
    wide = max(text_width(_inode_words(few[0]), SMALL) for few in inodes) + 20
    left = width - wide - 2
    tops, last = [], 0.0
    for few in inodes:
        last = max(sum(rows[id(entry)] for entry in few) / len(few), last + _ROW)
        tops.append(last)
    # Boxes that were pushed down by others above them must not leave the picture.
    overhang = max(tops[-1] - max(rows.values()), 0.0)
    ax.set_xlim(0, width)
    ax.set_ylim(_ROW * (len(entries) + 1) + overhang, 0)
    ax.xaxis.set_major_locator(NullLocator())
    ax.yaxis.set_major_locator(NullLocator())
    ax.set_axis_off()
    for x, words in ((0, "names (dentries)"), (left, "inodes")):
        ax.text(x, _ROW * 0.5, words, fontsize=SMALL, color=style.quiet, va="center")
    for few, at in zip(inodes, tops, strict=True):
        many = len(few) > 1
        ax.add_patch(
            FancyBboxPatch(
                (left, at - 10), wide, 20, boxstyle="round,pad=0,rounding_size=4", lw=1.2, zorder=2,
                facecolor=style.own if many else style.box, edgecolor=style.own_edge if many else style.box_edge,
            )
        )  # fmt: skip
        ax.text(left + 10, at, _inode_words(few[0]), fontsize=SMALL, color=style.ink, va="center", zorder=4)
        for entry in few:
            _name(ax, entry, rows, entries, style)
            begin = entry.depth * _INDENT + text_width(entry.name, BODY, mono=True) + 10
            colour = style.own_edge if many else style.line
            ax.plot([begin, left - 5], [rows[id(entry)], at], color=colour, lw=1.8 if many else 1.1, zorder=1)


def _name(ax: Axes, entry: DirectoryEntry, rows: dict[int, float], entries: Rows[DirectoryEntry], style: Theme) -> None:
    x, y = entry.depth * _INDENT, rows[id(entry)]
    ax.text(x + 2, y, entry.name, fontsize=BODY, fontfamily=MONO, color=style.ink, va="center", zorder=4)
    folder = entry.path.rpartition("/")[0] or "/"
    above = next((other for other in entries if other.path == folder and other is not entry), None)
    if above is not None:
        ax.plot(
            [x - _INDENT + 6, x - _INDENT + 6, x - 2], [rows[id(above)] + 9, y, y], color=style.faint, lw=1.2, zorder=1
        )
