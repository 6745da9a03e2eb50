# SPDX-License-Identifier: MIT
"""What every picture has: a text alternative, the table behind it, and a way into a notebook."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Collection
from functools import lru_cache
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from kmodlab.plot.theme import FONT, MONO, Theme
from kmodlab.records.table import Rows

__all__ = ["Picture", "PictureAxes", "alt_text", "show", "table"]

_CSS_PIXELS_PER_INCH = 96
_DPI = 192

_described: WeakKeyDictionary[Axes, tuple[str, Rows[Any]]] = WeakKeyDictionary()


class PictureAxes(Axes):
    """Axes that a notebook shows as their whole picture when they are the last thing in a cell.

    They belong to a figure that pyplot does not know, so nothing is drawn a second time.
    """

    name = "kmodlab"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return the picture for a notebook."""
        return show(self)._repr_mimebundle_(include, exclude)


class Picture:
    """A finished picture, as something to display.

    In a notebook it is an ``<img>`` with its text alternative, in a terminal that text.

    Attributes:
        figure: the figure of matplotlib.
        alt: what the picture says, in words.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        """Wrap a figure."""
        self.figure = figure
        self.alt = alt

    def png(self, dpi: float = _DPI, *, colours: int | None = None) -> bytes:
        """Return the picture as the bytes of a PNG file; with at most so many colours it is a third of the size."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=dpi, metadata={"Description": self.alt})
        return file.getvalue() if colours is None else _with_palette(file, colours)

    def html(self, *, colours: int | None = None) -> str:
        """Return the picture as an ``<img>`` that holds its data and its text alternative; see `png`."""
        return self._img(self.png(colours=colours))

    def _img(self, png: bytes) -> str:
        width = round(self.figure.get_figwidth() * _CSS_PIXELS_PER_INCH)
        source = base64.b64encode(png).decode()
        style = f"width:{width}px;max-width:100%;height:auto"
        return f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{source}" style="{style}">'

    def __repr__(self) -> str:
        """Return what the picture says."""
        return self.alt

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return the picture for a notebook: HTML with a text alternative, PNG and plain text."""
        png = self.png()
        bundle = {"text/plain": self.alt, "text/html": self._img(png), "image/png": base64.b64encode(png).decode()}
        if isinstance(include, Collection) and include:
            bundle = {kind: value for kind, value in bundle.items() if kind in include}
        if isinstance(exclude, Collection):
            bundle = {kind: value for kind, value in bundle.items() if kind not in exclude}
        return bundle


def _with_palette(png: io.BytesIO, colours: int) -> bytes:
    from PIL import Image  # by which matplotlib writes PNG files itself

    smaller = io.BytesIO()
    picture = Image.open(png).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    picture.save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def show(ax: Axes) -> Picture:
    """Return the picture that these axes are part of, for display."""
    return Picture(_figure(ax), " ".join(text for other in _figure(ax).axes if (text := alt_text(other))))


def alt_text(ax: Axes) -> str:
    """Return what a picture of kmodlab says, in words; empty for axes that kmodlab did not draw."""
    return _described[ax][0] if ax in _described else ""


def table(ax: Axes) -> Rows[Any]:
    """Return the numbers behind a picture of kmodlab, as records with exact values."""
    return _described[ax][1] if ax in _described else Rows()


def describe(ax: Axes, alt: str, rows: Rows[Any]) -> None:
    """Give a picture its text alternative and its table."""
    _described[ax] = (alt, rows)
    _figure(ax).kmodlab_alt = show(ax).alt  # type: ignore[attr-defined]


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """Return an empty figure of this size in inches that pyplot does not know."""
    return Figure(figsize=(width, height), facecolor=theme.page)


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> PictureAxes:
    """Return axes at a place in inches, counted from the top left corner."""
    across, down = figure.get_size_inches()
    ax = PictureAxes(figure, (left / across, 1 - (top + height) / down, width / across, height / down))
    figure.add_axes(ax)
    return ax


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """Return the width of a line of text in points: the sum of how far each letter advances, without hinting."""
    font = get_font(findfont(FontProperties(family=MONO if mono else FONT, weight="bold" if bold else "normal")))
    font.set_size(size, 72)
    return sum(font.load_char(ord(letter)).linearHoriAdvance for letter in text) / 65536


def wrapped(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Return the text broken, at a semicolon or into even lines, so that none is wider than so many points."""
    clauses = text.split("; ")
    if len(clauses) == 2 and text_width(text, size, bold=bold) > width:
        halves = [f"{clauses[0]};", clauses[1]]
        if all(text_width(line, size, bold=bold) <= width for line in halves):
            return "\n".join(halves)
    best: list[str] = []
    for columns in range(len(text) + 1, 12, -1):
        lines = textwrap.wrap(text, columns, break_long_words=False)
        if best and len(lines) > len(best):
            break
        if all(text_width(line, size, bold=bold) <= width for line in lines):
            best = lines
    return "\n".join(best or textwrap.wrap(text, 12))
