# SPDX-License-Identifier: MIT
"""What pictures with axes share: the page's measures, bars, the frame around them, title and key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from kmodlab.plot.picture import add_axes, new_figure, text_width, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme

__all__ = [
    "MARGIN",
    "ROW",
    "WIDTH",
    "draw_bar",
    "framed_axes",
    "label_width",
    "say_end",
    "set_frame",
    "set_key",
    "set_title",
    "unit_of",
    "unit_words",
]

WIDTH = 8.2
"""Of a picture, in inches."""
MARGIN = 0.22
ROW = 0.36
"""The height that a bar with its gap takes, in inches."""


def framed_axes(
    ax: Axes | None, title: str, handles: Sequence[Patch | Line2D], style: Theme, *,
    left: float, right: float, body: float, above: float = 0.68,
) -> Axes:  # fmt: skip
    """Return axes with a title, and a key if there are handles: the ones given, or those of a new figure.

    Args:
        ax: somebody's own axes, whose place stays; None for a new figure.
        title, handles, style: of the picture.
        left, right: inches of a new figure beside the axes.
        body: inches that its axes are high.
        above: inches from its title's first line to the axes, the upper margin left out.
    """
    if ax is not None:
        ax.set_title(title, fontsize=TITLE, fontweight="bold", color=style.ink, wrap=True)
        if handles:
            ax.legend(handles=handles, fontsize=SMALL)
        return ax
    lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
    head = MARGIN + 0.25 * lines.count("\n") + above
    ax = add_axes(new_figure(WIDTH, head + body + 0.75, style), left, head, WIDTH - left - right, body)
    set_title(ax, lines, head - MARGIN, left, TITLE, style)
    if handles:
        set_key(ax, handles, left)
    return ax


def draw_bar(
    ax: Axes, place: float, left: float, size: float, colour: str, hatch: str, edge: str, *,
    height: float = 0.62, dashed: bool = False,
) -> None:  # fmt: skip
    """Draw one piece of a horizontal bar."""
    ax.add_patch(
        Rectangle(
            (left, place - height / 2), size, height, facecolor=colour, hatch=hatch, edgecolor=edge,
            linewidth=0.8 if dashed else 0.4, linestyle=(0, (2, 1.5)) if dashed else "-", zorder=3,
        )
    )  # fmt: skip


def say_end(
    ax: Axes, place: float, end: float, text: str, style: Theme, *, size: float = SMALL, colour: str = "",
    bold: bool = False,
) -> None:  # fmt: skip
    """Write words behind the end of a bar; no line of the grid runs through them."""
    ax.annotate(
        text, (end, place), xytext=(6, 0), textcoords="offset points", va="center", ha="left", fontsize=size,
        fontweight="bold" if bold else "normal", color=colour or style.ink, annotation_clip=False,
        bbox={"boxstyle": "square,pad=0.12", "fc": style.page, "ec": "none"}, zorder=2,
    )  # fmt: skip


def set_frame(ax: Axes, names: Sequence[str], widest: float, style: Theme) -> None:
    """Set limits, names and grid of horizontal bars, the widest so many units wide."""
    ax.set_facecolor(style.page)
    ax.set_xlim(0, widest * 1.02 or 1)
    ax.set_ylim(max(len(names), 1) - 0.45, -0.55)
    ax.set_yticks(range(len(names)), names, fontsize=BODY, color=style.ink)
    ax.tick_params(axis="y", length=0, pad=6)
    ax.tick_params(axis="x", length=0, pad=4, labelsize=SMALL, labelcolor=style.quiet)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 4, 5, 8, 10]))
    ax.grid(axis="x", color=style.faint, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)
    ax.spines["left"].set_color(style.quiet)


def unit_of(size: float) -> tuple[str, int]:
    """Return the unit in which so many bytes are shown, and how many bytes it has."""
    if size < 4 * 1024:
        return "bytes", 1
    return ("kB", 1024) if size < 1024 * 1024 else ("MiB", 1024 * 1024)


def unit_words(unit: str) -> str:
    """Return a unit as the words of an axis."""
    return {
        "bytes": "memory in bytes",
        "kB": "memory in kB (1 kB = 1024 bytes)",
        "MiB": "memory in MiB (1 MiB = 1024 kB)",
    }[unit]


def label_width(names: Iterable[str]) -> float:
    """Return in inches how far from the left edge the bars must start."""
    return MARGIN + max((text_width(name, BODY) for name in names), default=40) / 72 + 0.14


def set_title(ax: Axes, text: str, above: float, left: float, size: float, style: Theme) -> None:
    """Set a title that starts at the figure's left margin, its top so many inches above the axes."""
    width, height = ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
    ax.set_title(
        text, fontsize=size, fontweight="bold", color=style.ink, x=(MARGIN - left) / width,
        y=1 + above / height, ha="left", va="top", linespacing=1.25, pad=0,
    )  # fmt: skip


def set_key(ax: Axes, handles: Sequence[Patch | Line2D], left: float) -> None:
    """Put the key below the title, from the left margin on."""
    width, height = ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=((MARGIN - left) / width, 1 + 0.1 / height), ncols=6,
        frameon=False, fontsize=SMALL, borderpad=0, borderaxespad=0, handlelength=1.5, handleheight=1.0,
        handletextpad=0.45, columnspacing=1.2,
    )  # fmt: skip
