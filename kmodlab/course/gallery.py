# SPDX-License-Identifier: MIT
"""The gallery: every kind of picture, drawn from one running machine, as one page that needs nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmodlab import plot
from kmodlab.course.exhibits import BEGIN, ROOMS, Exhibit
from kmodlab.course.gallery_page import page_of
from kmodlab.errors import UsageError
from kmodlab.plot.theme import ThemeName, get_theme
from kmodlab.progress import Step, step
from kmodlab.records.table import Rows

__all__ = ["THEMES", "Shown", "open_gallery"]

THEMES: tuple[ThemeName, ...] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Shown:
    """An exhibit that was run.

    Attributes:
        exhibit: what it is.
        room: the title of its room.
        pictures: by theme.
        tables: what is behind it, one of each of its axes.
        seconds: that running it took.
    """

    exhibit: Exhibit
    room: str
    pictures: dict[ThemeName, plot.Picture]
    tables: tuple[Rows[Any], ...]
    seconds: float


def open_gallery(
    out: Path, names: Collection[str] = (), watch: Callable[[Shown], None] = lambda shown: None
) -> tuple[Path, list[Shown]]:
    """Run the exhibits in one fresh machine and write the page.

    Args:
        out: the folder for the page.
        names: only these exhibits; they are run in their order, so what one needs of an earlier one must be named too.
        watch: called with each exhibit once it has been run.

    Returns:
        The page, ``gallery.html``, and what it shows.

    Raises:
        UsageError: there is no exhibit of a name.
    """
    unknown = set(names) - {exhibit.name for _, exhibits in ROOMS for exhibit in exhibits}
    if unknown:
        raise UsageError(f"show {min(unknown)}: the gallery has no such picture")
    begin = time.monotonic()
    scope: dict[str, Any] = {}
    exec(compile(BEGIN, "<gallery>", "exec"), scope)
    shown = []
    try:
        with step("Drawing", total=len(names) or sum(len(few) for _, few in ROOMS), unit="pictures") as now:
            for one in _run(scope, names, now):
                shown.append(one)
                watch(one)
            now.tell("Drawing")
        facts = (scope["vm"].kernel.release, scope["vm"].accelerator)
    finally:
        scope["vm"].kill()
    out.mkdir(parents=True, exist_ok=True)
    page = out.absolute() / "gallery.html"
    part = page.with_suffix(".part")
    part.write_text(page_of(shown, *facts, seconds=time.monotonic() - begin))
    part.replace(page)
    return page, shown


def _run(scope: dict[str, Any], names: Collection[str], now: Step) -> Iterator[Shown]:
    for room, exhibits in ROOMS:
        for exhibit in exhibits:
            if not names or exhibit.name in names:
                now.tell(f"Drawing {exhibit.name}")
                yield _show(exhibit, room, scope)
                now.update()


def _show(exhibit: Exhibit, room: str, scope: dict[str, Any]) -> Shown:
    begin, before = time.monotonic(), get_theme()
    exec(compile(exhibit.prepare, f"<{exhibit.name}>", "exec"), scope)
    pictures: dict[ThemeName, plot.Picture] = {}
    tables: tuple[Rows[Any], ...] = ()
    try:
        for theme in THEMES:
            plot.set_theme(theme)
            ax = eval(compile(exhibit.draw, f"<{exhibit.name}>", "eval"), scope)
            pictures[theme] = plot.show(ax)
            tables = tuple(rows for one in pictures[theme].figure.axes if (rows := plot.table(one)))
    finally:
        plot.set_theme(before)
    return Shown(exhibit, room, pictures, tables, time.monotonic() - begin)
