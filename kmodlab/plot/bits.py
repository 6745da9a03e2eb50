# SPDX-License-Identifier: MIT
"""The number of an ioctl command, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kmodlab.plot.frame import MARGIN, WIDTH, set_title
from kmodlab.plot.picture import add_axes, describe, new_figure, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.ioctl import IoctlField, ioctl_fields
from kmodlab.records.table import Rows

__all__ = ["ioctl_number"]

_COLOURS = {"direction": "data", "size": "rodata", "letter": "bss", "number": "overhead"}
_BITS = 32


def ioctl_number(number: int, name: str = "", *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw the 32 bits of an ioctl command's number, and what each group of them says.

    Args:
        number: the command's number.
        name: what it is called.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has the four fields, ``alt_text(ax)`` says them in words.

    Raises:
        UsageError: the number does not fit into 32 bits.
    """
    fields = ioctl_fields(number)
    style = get_theme(theme)
    title = _finding(fields, number, name)
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = MARGIN + 0.25 * lines.count("\n") + 0.42
        figure = new_figure(WIDTH, head + 1.85, style)
        ax = add_axes(figure, MARGIN, head, WIDTH - 2 * MARGIN, 1.65)
        ax.set_xlim(0, _BITS)
        ax.set_ylim(3.3, 0)
        ax.axis("off")
        for field in fields:
            _field(ax, field, number, style)
        set_title(ax, lines, head - MARGIN, MARGIN, TITLE, style)
    describe(ax, f"The bits of a number. {title}. {_words(fields)}.", fields)
    return ax


def _finding(fields: Rows[IoctlField], number: int, name: str) -> str:
    direction, size = fields[0], fields[1]
    moved = f"{direction.meaning} {size.meaning}" if direction.value else direction.meaning
    return f"{name} is {number:#010x}; {moved}" if name else f"{number:#010x}: {moved}"


def _words(fields: Rows[IoctlField]) -> str:
    return "; ".join(
        f"bits {field.high} to {field.low}: {field.name} {field.value}, {field.meaning}" for field in fields
    )


def _field(ax: Axes, field: IoctlField, number: int, style: Theme) -> None:
    left = _BITS - 1 - field.high
    bits: Sequence[int] = range(field.high, field.low - 1, -1)
    for at, bit in enumerate(bits):
        ax.add_patch(
            Rectangle(
                (left + at, 0.95), 1, 0.95, facecolor=getattr(style, _COLOURS[field.name]), alpha=0.55,
                edgecolor=style.page, linewidth=1.2,
            )
        )  # fmt: skip
        ax.text(left + at + 0.5, 1.43, str(number >> bit & 1), ha="center", va="center", fontsize=BODY, color=style.ink,
                family="monospace")  # fmt: skip
    place, middle = ("left", left) if field.name == "direction" else ("center", left + len(bits) / 2)
    ax.text(middle, 0.45, f"bits {field.high}–{field.low}", ha=place, va="center", fontsize=SMALL, color=style.quiet)
    ax.text(middle, 2.3, field.name, ha=place, va="center", fontsize=BODY, fontweight="bold", color=style.ink)
    ax.text(middle, 2.9, f"{field.value}" + (f" ({field.sign})" if field.sign else ""), ha=place, va="center",
            fontsize=BODY, color=style.ink)  # fmt: skip
