# SPDX-License-Identifier: MIT
"""What each line of a module's source holds over time, and what of it was never given back."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from kmodlab.errors import UsageError
from kmodlab.plot.frame import (
    MARGIN,
    ROW,
    WIDTH,
    draw_bar,
    label_width,
    say_end,
    set_frame,
    set_key,
    set_title,
    unit_of,
    unit_words,
)
from kmodlab.plot.picture import add_axes, describe, new_figure, text_width, wrapped
from kmodlab.plot.theme import BODY, SMALL, TITLE, Theme, ThemeName, get_theme
from kmodlab.records.ledger import Ledger, LineTotal
from kmodlab.records.table import Rows, format_bytes

__all__ = ["allocations"]

_BODY = 2.3
_MOST = 6
_OTHERS = "other lines"
_LOOKS = (
    ("#d55e00", "", ""), ("", "", ""), ("#e69f00", "///", "#7a5200"), ("#56b4e9", "..", "#00507d"),
    ("#cc79a7", "\\\\\\", "#7d3c63"), ("#009e73", "xxx", "#00513b"),
)  # fmt: skip


def allocations(ledger: Ledger, *, theme: Theme | ThemeName | None = None) -> Axes:
    """Draw the bytes that each line of the source held over time, and below how much each never gave back.

    Args:
        ledger: what ``watch(…).ledger`` gave.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The upper axes. ``table(ax)`` has the lines with their sums, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: the modules allocated nothing.
    """
    rows = ledger.lines
    if not rows:
        raise UsageError("draw allocations: the ledger lists none; watch while the module is loaded and used")
    style, shown, title = get_theme(theme), _shown(rows), _finding(ledger)
    looks = {
        row.name: (colour or style.text, hatch, edge or style.page)
        for row, (colour, hatch, edge) in zip(shown, _LOOKS, strict=False)
    }
    looks[_OTHERS] = (style.overhead, "", style.page)
    names = [f"{row.name}  {row.function}".rstrip() if row.function else row.name for row in shown]
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = MARGIN + 0.25 * lines.count("\n") + 0.44
        left = label_width(names)
        right = MARGIN + max(text_width(_end_words(row), SMALL) for row in shown) / 72 + 0.15
        second = head + _BODY + 1.38
        figure = new_figure(WIDTH, second + ROW * len(shown) + 0.75, style)
        ax = add_axes(figure, 0.85, head, WIDTH - 0.85 - MARGIN - 0.1, _BODY)
        _over_time(ax, ledger, looks, style)
        set_title(ax, lines, head - MARGIN, 0.85, TITLE, style)
        lower = add_axes(figure, left, second, WIDTH - left - right, ROW * len(shown))
        _bars(lower, shown, names, looks, style)
        set_title(lower, "Line by line: what was given back, and what was not", 0.66, left, BODY + 1, style)
        set_key(lower, _key(rows, style), left)
    said = "; ".join(f"{row.name} in {row.function}: {_end_words(row)}" for row in shown)
    doubts = "".join(f" Not exact: {doubt}." for doubt in ledger.doubts)
    describe(ax, f"Stacked areas of memory held over time, by line. {title}. {said}.{doubts}", rows)
    describe(lower, "Bar chart of what each line allocated.", rows)
    return ax


def _shown(rows: Rows[LineTotal]) -> list[LineTotal]:
    """Return the lines that left most, and all others as one."""
    if len(rows) <= _MOST:
        return list(rows)
    few, rest = list(rows[: _MOST - 1]), rows[_MOST - 1 :]
    sums = [sum(getattr(row, name) for row in rest) for name in ("objects", "allocated", "left")]
    return [*few, LineTotal(_OTHERS, "", *sums)]


def _finding(ledger: Ledger) -> str:
    left, names = [row for row in ledger.lines if row.left], ", ".join(ledger.modules)
    most = max((point.bytes for point in ledger.timeline), default=0)
    whole = sum(row.left for row in left)
    doubt = "" if ledger.exact else "; not exact"
    if not left:
        return f"{names} gave back all that it took; it held {format_bytes(most)} at most{doubt}"
    if ledger.loaded:
        return f"{names} held {format_bytes(most)} at most, and holds {format_bytes(whole)} still{doubt}"
    if len(left) == 1:
        return f"{left[0].name} took {format_bytes(whole)} that nobody gave back{doubt}"
    first = f"{format_bytes(left[0].left)} of it from {left[0].name}"
    return f"{names} never gave back {format_bytes(whole)}, {first}{doubt}"


def _end_words(row: LineTotal) -> str:
    pieces = "1 piece" if row.objects == 1 else f"{row.objects:,} pieces"
    back = "all" if not row.left else "none" if row.left == row.allocated else format_bytes(row.allocated - row.left)
    return f"{format_bytes(row.allocated)} in {pieces}, {back} given back"


def _steps(ledger: Ledger, names: Sequence[str]) -> tuple[list[float], dict[str, list[int]]]:
    """Return moments, in seconds from the first allocation, and what each line holds from each of them on."""
    changes = []
    for one in (*ledger.live, *ledger.freed):
        name = one.line if one.line in names else _OTHERS
        changes.append((one.seconds, one.size, name))
        if one.freed_at is not None:
            changes.append((one.freed_at, -one.size, name))
    changes.sort(key=lambda change: change[0])
    begin = changes[0][0]
    times, now = [0.0], dict.fromkeys([*names, _OTHERS], 0)
    held: dict[str, list[int]] = {name: [0] for name in now}
    for seconds, size, name in changes:
        now[name] += size
        times.append(seconds - begin)
        for other, values in held.items():
            values.append(now[other])
    return times, held


def _over_time(ax: Axes, ledger: Ledger, looks: dict[str, tuple[str, str, str]], style: Theme) -> None:
    names = [name for name in looks if name != _OTHERS]
    times, held = _steps(ledger, names)
    end = max(times[-1], ledger.timeline[-1].seconds - ledger.timeline[0].seconds if ledger.timeline else 0.0) or 1e-3
    end *= 1.02
    sums = [sum(values[number] for values in held.values()) for number in range(len(times))]
    unit, step = unit_of(max(sums))
    floor = [0.0] * (len(times) + 1)
    for name in (*names, _OTHERS):
        values = held[name]
        if not any(values):
            continue
        top = [low + value / step for low, value in zip(floor, [*values, values[-1]], strict=True)]
        colour, hatch, edge = looks[name]
        ax.fill_between(
            [*times, end], floor, top, step="post", facecolor=colour, hatch=hatch, edgecolor=edge, lw=0.0, zorder=3
        )
        floor = top
    ax.step([*times, end], [*(size / step for size in sums), sums[-1] / step], where="post", color=style.ink, lw=0.9,
            zorder=4)  # fmt: skip
    ax.set_xlim(0, end)
    ax.set_ylim(0, max(sums) / step * 1.06)
    ax.set_facecolor(style.page)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.grid(axis="y", color=style.faint, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, pad=6, labelsize=SMALL, labelcolor=style.quiet)
    ax.set_ylabel(f"held, {unit}", fontsize=SMALL + 0.5, labelpad=6)
    ax.set_xlabel("seconds since the first allocation", fontsize=SMALL + 0.5, labelpad=6)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _bars(
    ax: Axes, rows: Sequence[LineTotal], names: Sequence[str], looks: dict[str, tuple[str, str, str]], style: Theme
) -> None:
    widest = max(row.allocated for row in rows)
    unit, step = unit_of(widest)
    for place, row in enumerate(rows):
        colour, hatch, edge = looks[row.name]
        draw_bar(ax, place, 0, row.left / step, colour, hatch, edge)
        if row.allocated > row.left:
            draw_bar(
                ax,
                place,
                row.left / step,
                (row.allocated - row.left) / step,
                _pale(colour, style),
                "",
                colour,
                dashed=True,
            )
        say_end(ax, place, row.allocated / step, _end_words(row), style)
    set_frame(ax, names, widest / step, style)
    ax.set_xlabel(unit_words(unit), fontsize=SMALL + 0.5, labelpad=6)


def _pale(colour: str, style: Theme) -> str:
    """Return a colour most of which is the page's."""
    pairs = zip(to_rgb(colour), to_rgb(style.page), strict=True)
    return to_hex(tuple(0.25 * ink + 0.75 * paper for ink, paper in pairs))  # type: ignore[arg-type]


def _key(rows: Rows[LineTotal], style: Theme) -> list[Patch]:
    handles = [Patch(facecolor=_pale(style.quiet, style), edgecolor=style.quiet, ls=(0, (2, 1.5)), label="given back")]
    if any(row.left for row in rows):
        handles.insert(0, Patch(facecolor=style.quiet, edgecolor=style.quiet, label="not given back"))
    return handles
