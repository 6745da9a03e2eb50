# SPDX-License-Identifier: MIT
"""What modules hold over time: a leak is a saw whose teeth stand higher each time."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kmodlab.errors import UsageError
from kmodlab.plot.frame import MARGIN, WIDTH, set_title, unit_of
from kmodlab.plot.picture import add_axes, describe, new_figure, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.ledger import Ledger, Total
from kmodlab.records.table import Column, Rows, format_bytes

__all__ = ["held"]

_PANEL = 1.7
_GAP = 0.62
_LEFT = 0.85
_RIGHT = 1.25
_COLUMNS = (Column("seconds"), Column("bytes", kind="bytes"), Column("objects", kind="number"))


def held(ledgers: Mapping[str, Ledger], *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw the bytes that modules held while each ledger was kept, one panel for each, all on the same scale.

    Args:
        ledgers: what ``watch(...).ledger`` gave, by the name to show.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The topmost axes. ``table(ax)`` has each panel's numbers, ``alt_text(ax)`` says them in words.

    Raises:
        UsageError: there is no ledger.
    """
    if not ledgers:
        raise UsageError("draw what is held: there is no ledger; give a dict of names and ledgers")
    style = get_theme(theme)
    title = _finding(ledgers)
    tallest = max((point.bytes for ledger in ledgers.values() for point in ledger.timeline), default=1) or 1
    longest = max((_span(ledger) for ledger in ledgers.values()), default=1.0) or 1.0
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = MARGIN + 0.25 * lines.count("\n") + 0.72
        figure = new_figure(WIDTH, head + len(ledgers) * (_PANEL + _GAP) + 0.12, style)
        panels = []
        for number, (name, ledger) in enumerate(ledgers.items()):
            ax = add_axes(figure, _LEFT, head + number * (_PANEL + _GAP), WIDTH - _LEFT - _RIGHT, _PANEL)
            _panel(ax, name, ledger, tallest, longest, style)
            panels.append(ax)
        panels[-1].set_xlabel("seconds since the trace began", fontsize=SMALL + 0.5, labelpad=6)
        for ax, (name, ledger) in zip(panels[1:], list(ledgers.items())[1:], strict=True):
            describe(ax, f"{_words(name, ledger)}.", _rows(ledger))
        set_title(panels[0], lines, head - MARGIN, _LEFT, TITLE, style)
    name, first = next(iter(ledgers.items()))
    describe(panels[0], f"Step lines of memory held over time. {title}. {_words(name, first)}.", _rows(first))
    return panels[0]


def _left(ledger: Ledger) -> int:
    return ledger.timeline[-1].bytes if ledger.timeline else 0


def _span(ledger: Ledger) -> float:
    return ledger.timeline[-1].seconds - ledger.timeline[0].seconds if ledger.timeline else 0.0


def _rows(ledger: Ledger) -> Rows[Total]:
    return Rows(ledger.timeline, caption="Held over time", columns=_COLUMNS)


def _finding(ledgers: Mapping[str, Ledger]) -> str:
    parts = [
        f"{name} leaves {format_bytes(_left(ledger)) if _left(ledger) else 'nothing'}"
        for name, ledger in ledgers.items()
    ]
    return f"Loaded and unloaded again and again: {', '.join(parts)}" if len(parts) > 1 else f"{parts[0]} behind"


def _words(name: str, ledger: Ledger) -> str:
    most = max((point.bytes for point in ledger.timeline), default=0)
    return (
        f"{name}: {ledger.allocations} allocations, {ledger.frees} frees, at most {format_bytes(most)} held, "
        f"{format_bytes(_left(ledger))} at the end"
    )


def _panel(ax: Axes, name: str, ledger: Ledger, tallest: int, longest: float, style: Theme) -> None:
    unit, step = unit_of(tallest)
    begin = ledger.timeline[0].seconds if ledger.timeline else 0.0
    end = longest * 1.03  # what is left at last is to be seen as a level, not as an edge
    times = [0.0, *(point.seconds - begin for point in ledger.timeline), end]
    sizes = [0.0, *(point.bytes / step for point in ledger.timeline), _left(ledger) / step]
    colour = style.data if _left(ledger) else style.text
    ax.fill_between(times, sizes, step="post", color=colour, alpha=0.35, lw=0, zorder=2)
    ax.step(times, sizes, where="post", color=colour, lw=1.6, zorder=3)
    ax.set_xlim(0, end)
    ax.set_ylim(-0.07 * tallest / step, tallest / step * 1.08)  # so that 0 stands clear of the seconds
    ax.set_facecolor(style.page)
    ax.grid(axis="y", color=style.faint, linewidth=0.8, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.tick_params(length=0, pad=5, labelsize=SMALL, labelcolor=style.quiet)
    ax.set_ylabel(f"held, {unit}", fontsize=SMALL + 0.5, labelpad=6)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.annotate(
        name, (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", ha="left", va="bottom",
        fontsize=BODY, fontweight="bold", color=style.ink,
    )  # fmt: skip
    ax.annotate(
        f"{format_bytes(_left(ledger))}\nleft", (end, _left(ledger) / step), xytext=(7, 0),
        textcoords="offset points", ha="left", va="bottom" if not _left(ledger) else "center", fontsize=SMALL,
        color=style.ink, annotation_clip=False,
    )  # fmt: skip
