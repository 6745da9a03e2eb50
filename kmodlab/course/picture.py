# SPDX-License-Identifier: MIT
"""The map of the course as a picture: a lane a lesson, a station an exercise, filled as far as the points go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Patch, Wedge

from kmodlab.course.map import CourseMap, Place
from kmodlab.plot.picture import add_axes, describe, new_figure, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme

__all__ = ["draw_map"]

_POINTS = 72.0
_ROOM = 570.0  # points: as wide as a notebook's other pictures
_MARGIN = 16.0
_LABELS = 168.0  # for the lessons' titles
_RADIUS = 12.0
_LINE = 13.0
_GAP = 15.0


@dataclass(frozen=True, slots=True)
class _Lane:
    number: str
    title: str
    places: Sequence[Place]
    words: Sequence[str]

    @property
    def height(self) -> float:
        below = max(text.count("\n") for text in self.words) + 2  # the titles, and the points
        own = self.title.count("\n") + 2
        return max(2 * _RADIUS + 5 + below * _LINE, own * 1.2 * _LINE) + 2 * _GAP


def draw_map(course: CourseMap, *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw how far a learner has come.

    Args:
        course: what `kmodlab.course.map.course_map` returned.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``kmodlab.plot.table(ax)`` has the numbers, ``kmodlab.plot.alt_text(ax)`` says it in words.
    """
    style = get_theme(theme)
    with matplotlib.rc_context(style.rc):
        lanes = _lanes(course)
        height = max(sum(lane.height for lane in lanes), 1.0)
        ax = _axes(course, height, style)
        top = 0.0
        for lane in lanes:
            _draw(ax, lane, top, course.next, style)
            top += lane.height
    describe(ax, _words(course), course)
    return ax


def _lanes(course: CourseMap) -> list[_Lane]:
    found = []
    for number, group in groupby(course, key=lambda place: place.lesson):
        places = tuple(group)
        room = (_ROOM - _LABELS) / len(places) - 10
        title = wrapped(course.titles.get(number, f"Lesson {number}"), _LABELS - 46, BODY, bold=True)
        found.append(_Lane(number, title, places, [wrapped(place.title, room, SMALL) for place in places]))
    return found


def _axes(course: CourseMap, height: float, style: Theme) -> Axes:
    title = wrapped(course.finding, _ROOM, TITLE, bold=True)
    head = _MARGIN + 18 * title.count("\n") + 52
    figure = new_figure((_ROOM + 2 * _MARGIN) / _POINTS, (head + height + _MARGIN) / _POINTS, style)
    ax = add_axes(figure, _MARGIN / _POINTS, head / _POINTS, _ROOM / _POINTS, height / _POINTS)
    ax.set_xlim(0, _ROOM)
    ax.set_ylim(height, 0)
    ax.set_axis_off()
    ax.set_title(
        title, fontsize=TITLE, fontweight="bold", color=style.ink, x=0, ha="left", va="top", pad=0,
        y=1 + (head - _MARGIN) / height, linespacing=1.25,
    )  # fmt: skip
    ax.legend(
        handles=[
            Patch(facecolor=style.after, edgecolor=style.after, label="done"),
            Patch(facecolor=style.data, edgecolor=style.data, label="begun, as far as the points go"),
            Patch(facecolor=style.page, edgecolor=style.line, label="not tried"),
        ],
        loc="lower left", bbox_to_anchor=(0, 1 + 12 / height), ncols=3, frameon=False, fontsize=SMALL, borderpad=0,
        borderaxespad=0, handlelength=1.2, handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip
    return ax


def _draw(ax: Axes, lane: _Lane, top: float, following: Place | None, style: Theme) -> None:
    ax.plot([0, _ROOM], [top, top], color=style.faint, lw=0.8, zorder=1)
    done = sum(place.state == "done" for place in lane.places)
    middle = top + _GAP + _RADIUS
    ax.text(0, top + _GAP - 1, lane.number, fontsize=TITLE + 3, fontweight="bold", color=style.quiet, va="top")
    ax.text(34, top + _GAP, lane.title, fontsize=BODY, fontweight="bold", color=style.ink, va="top", linespacing=1.15)
    ax.text(
        34, top + _GAP + (lane.title.count("\n") + 1) * 1.2 * _LINE + 3, f"{done} of {len(lane.places)} done",
        fontsize=SMALL, color=style.quiet, va="top",
    )  # fmt: skip
    step = (_ROOM - _LABELS) / len(lane.places)
    across = [_LABELS + step * (index + 0.5) for index in range(len(lane.places))]
    ax.plot([across[0], across[-1]], [middle, middle], color=style.line, lw=1.4, zorder=2)
    for x, place, words in zip(across, lane.places, lane.words, strict=True):
        _station(ax, x, middle, place, style)
        below = middle + _RADIUS + 6
        chosen = place is following
        ax.text(
            x, below, words, fontsize=SMALL, color=style.ink, ha="center", va="top", linespacing=1.2,
            fontweight="bold" if chosen else "normal",
        )  # fmt: skip
        score = f"next: {place.of} points" if chosen and not place.points else f"{place.score} points"
        ax.text(
            x, below + (words.count("\n") + 1) * _LINE + 1, score, fontsize=SMALL, color=style.quiet, ha="center",
            va="top",
        )  # fmt: skip


def _station(ax: Axes, x: float, y: float, place: Place, style: Theme) -> None:
    """A disc that is full when the exercise is done; a part of it when it is begun."""
    done = place.state == "done"
    edge = style.after if done else style.data if place.tries else style.line
    ax.add_patch(Circle((x, y), _RADIUS, facecolor=style.after if done else style.page, ec=edge, lw=1.8, zorder=3))
    if done:
        ax.text(x, y, "✓", fontsize=TITLE, color="#ffffff", fontweight="bold", ha="center", va="center", zorder=5)
    elif place.points:
        # Clockwise from the top; the axes count downwards.
        turn = 360 * place.points / place.of
        ax.add_patch(Wedge((x, y), _RADIUS - 2.4, -90, -90 + turn, facecolor=style.data, lw=0, zorder=4))


def _words(course: CourseMap) -> str:
    parts = [
        f"Lesson {number}, {course.titles.get(number, 'untitled')}: "
        + ", ".join(f"{place.title}, {place.state}, {place.score} points" for place in group)
        for number, group in groupby(course, key=lambda place: place.lesson)
    ]
    return f"Map of the course. {course.finding}. {'. '.join(parts)}."
