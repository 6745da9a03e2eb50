# SPDX-License-Identifier: MIT
"""What the tests of pictures share: where the texts of one lie, and that none overlaps another or is cut off."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

__all__ = ["drawn", "figure_of", "nothing_overlaps"]


def nothing_overlaps(ax: Axes, width: float = 1.0) -> dict[str, Bbox]:
    """Fail if a text of the picture lies over another or reaches out of the page; return where they are, in pixels.

    `width` is that of the page as a part of a notebook's.
    """
    figure_of(ax).set_dpi(100 * width)
    figure, boxes = drawn(ax)
    assert boxes
    page = Bbox.from_bounds(0, 0, figure.bbox.width, figure.bbox.height)
    for text, box in boxes.items():
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, f"{text} is cut off"
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        shared = Bbox.intersection(first.padded(-width), second.padded(-width))
        assert shared is None, f"{one} overlaps {other}"
    return boxes


def figure_of(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def drawn(ax: Axes) -> tuple[Figure, dict[str, Bbox]]:
    """Draw the picture and return where each of its texts is, in pixels."""
    figure = figure_of(ax)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = {}
    for number, text in enumerate(texts(figure)):
        boxes[f"{number}: {text.get_text()}"] = text.get_window_extent(canvas.get_renderer())
    return figure, boxes


def texts(figure: Figure) -> Iterator[Text]:
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text().strip() and text.get_visible() and not hidden_tick(text, figure):
            yield text


def hidden_tick(text: Text, figure: Figure) -> bool:
    """Matplotlib keeps ticks outside the limits, and those of axes that are off, without drawing them."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [label for tick in axis.get_major_ticks() for label in (tick.label1, tick.label2)]
            if text in labels or text is axis.label or text is axis.get_offset_text():
                shown = [tick.label1 for tick in axis._update_ticks()] if ax.axison else []
                return text not in shown and not (text is axis.label and ax.axison)
    return False
