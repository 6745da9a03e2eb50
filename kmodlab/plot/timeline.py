# SPDX-License-Identifier: MIT
"""Lives of modules on the kernel's clock: they come and go, and the kernel runs on."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kmodlab.errors import UsageError
from kmodlab.plot.frame import MARGIN, ROW, WIDTH, draw_bar, label_width, say_end, set_frame, set_key, set_title
from kmodlab.plot.picture import add_axes, describe, new_figure, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.lives import Life, parse_lives
from kmodlab.records.table import Rows

__all__ = ["lives"]

_RIGHT = 1.15
_MOST_LANES = 12
_MOST_LIVES = 10
_PHASES = (
    ("load", "rodata", "..", "#00507d"),
    ("init", "data", "///", "#7a5200"),
    ("exit", "bss", "\\\\\\", "#8a8000"),
)
_WORDS = {"load": "load (into memory)", "init": "init function", "exit": "exit function, memory freed"}


def lives(
    trace: str | Rows[Life], uptime: float, *, since: float = 0.0, theme: Theme | ThemeName | None = None
) -> Axes:
    """Draw the lives of modules: above on the clock of the kernel since its boot, below what coming and going took.

    Args:
        trace: the text of ``/sys/kernel/tracing/trace``, or what `kmodlab.records.lives.parse_lives` made of it.
        uptime: seconds since boot, now: the first number in ``/proc/uptime``.
        since: the second at which the picture begins.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The upper axes. ``table(ax)`` has the numbers, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: the trace tells of no module.
    """
    rows = parse_lives(trace) if isinstance(trace, str) else trace
    names = list(dict.fromkeys(life.module for life in rows))[-_MOST_LANES:]
    rows = rows.filter(lambda life: life.module in names)
    if not rows:
        raise UsageError("draw lives: the trace tells of no module; enable the events before the first one is loaded")
    style, uptime = get_theme(theme), max(uptime, _end(rows))
    shown = rows[-_MOST_LIVES:]
    labels = ["kernel", *names], [f"{life.module}, {life.at:.1f} s" for life in shown]
    since = min(since, min(life.asked for life in rows))
    with matplotlib.rc_context(style.rc):
        lines = wrapped(_finding(rows, uptime), (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        left = label_width(labels[0] + labels[1])
        head = MARGIN + 0.25 * lines.count("\n") + 0.68
        bodies = ROW * len(labels[0]), ROW * len(labels[1])
        figure = new_figure(WIDTH, head + sum(bodies) + 2.25, style)
        ax = add_axes(figure, left, head, WIDTH - left - _RIGHT, bodies[0])
        _lanes(ax, labels[0], rows, (since, uptime), style)
        set_title(ax, lines, head - MARGIN, left, TITLE, style)
        set_key(ax, _key(rows, style), left)
        lower = add_axes(figure, left, head + bodies[0] + 1.5, WIDTH - left - _RIGHT, bodies[1])
        _phases(lower, labels[1], shown, style)
        set_title(lower, "What each coming and going took", 0.66, left, BODY + 1, style)
        set_key(lower, _phase_key(style), left)
    describe(ax, f"Timeline. {_finding(rows, uptime)}. {_told(rows)}.", rows)
    describe(lower, f"Bar chart of the time that loading and unloading took. {_took(shown)}.", shown)
    return ax


def _end(rows: Sequence[Life]) -> float:
    return max(life.gone or life.leaving or life.ready for life in rows)


def _finding(rows: Sequence[Life], uptime: float) -> str:
    names = list(dict.fromkeys(life.module for life in rows))
    who = names[0] if len(names) == 1 else f"{len(names)} modules"
    verb = "was" if len(names) == 1 else "were"
    often = f"{len(rows)} times" if len(rows) > 1 else "once"
    return f"{who} {verb} loaded {often}; the kernel ran on all the while, {uptime:.0f} s since its only boot"


def _told(rows: Sequence[Life]) -> str:
    return "; ".join(f"{life.module} from {life.at:.1f} s {_until(life)}{_refcount(life)}" for life in rows)


def _refcount(life: Life) -> str:
    return f", refcount up to {life.most}" if life.most else ""


def _until(life: Life) -> str:
    if life.refused:
        return "refused by its own init function"
    return "on, still there" if life.gone is None else f"to {life.gone:.1f} s"


def _took(rows: Sequence[Life]) -> str:
    return "; ".join(
        f"{life.module} at {life.at:.1f} s: load {life.load:.1f} ms, init {life.init:.1f} ms"
        + (f", exit {life.exit:.1f} ms" if life.exit is not None else "")
        for life in rows
    )


def _lanes(ax: Axes, names: Sequence[str], rows: Sequence[Life], shown: tuple[float, float], style: Theme) -> None:
    since, uptime = shown
    least = (uptime - since) / 250  # a life shorter than this could not be seen
    draw_bar(ax, 0, since, uptime - since, style.before, "", style.page)
    for life in rows:
        place, end = names.index(life.module), uptime if life.gone is None else life.gone
        if life.refused:
            ax.plot([life.asked], [place], "x", color="#d55e00", markersize=7, markeredgewidth=2.2, zorder=4)
        else:
            draw_bar(ax, place, life.asked, max(end - life.asked, least), style.after, "", style.page)
            _used(ax, place, life, end, max(other.most for other in rows), style)
    set_frame(ax, names, uptime, style)
    ax.set_xlim(since, uptime + (uptime - since) * 0.02)
    say_end(ax, 0, uptime, "still running", style)
    ax.set_xlabel("seconds since the kernel was booted", fontsize=SMALL + 0.5, labelpad=6)


def _used(ax: Axes, place: int, life: Life, end: float, most: int, style: Theme) -> None:
    """Draw in a life's bar how its refcount went: as high as the bar where it was highest of all."""
    if not life.most:
        return
    times, counts = zip(*life.uses, strict=True)
    bottom = place + 0.31
    tops = [bottom - 0.62 * count / most for count in (*counts, counts[-1])]
    ax.fill_between(
        [*times, life.leaving or end], bottom, tops, step="post", facecolor=style.data, hatch="///",
        edgecolor="#7a5200", lw=0, zorder=4,
    )  # fmt: skip


def _phases(ax: Axes, names: Sequence[str], rows: Sequence[Life], style: Theme) -> None:
    totals = [life.load + life.init + (life.exit or 0.0) for life in rows]
    for place, (life, total) in enumerate(zip(rows, totals, strict=True)):
        left = 0.0
        for name, colour, hatch, edge in _PHASES:
            size = getattr(life, name) or 0.0
            draw_bar(ax, place, left, size, getattr(style, colour), hatch, edge)
            left += size
        say_end(ax, place, total, f"{total:.1f} ms", style)
    set_frame(ax, names, max(totals), style)
    ax.set_xlabel("milliseconds", fontsize=SMALL + 0.5, labelpad=6)


def _key(rows: Sequence[Life], style: Theme) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [Patch(facecolor=style.after, label="a module is in the kernel")]
    most = max(life.most for life in rows)
    if most:
        words = f"in use, refcount up to {most}"
        handles.append(Patch(facecolor=style.data, hatch="///", edgecolor="#7a5200", label=words))
    if any(life.refused for life in rows):
        handles.append(
            Line2D(
                [], [], linestyle="", marker="x", color="#d55e00", markersize=7, markeredgewidth=2.2,
                label="its init function returned an error",
            )
        )  # fmt: skip
    return handles


def _phase_key(style: Theme) -> list[Patch | Line2D]:
    return [
        Patch(facecolor=getattr(style, colour), hatch=hatch, edgecolor=edge, label=_WORDS[name])
        for name, colour, hatch, edge in _PHASES
    ]
