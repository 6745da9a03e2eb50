# SPDX-License-Identifier: MIT
"""How a report looks: what happened, where, the lines around it, the trace from one's own functions outward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from kmodlab.records.places import linked
from kmodlab.records.report.record import Frame, Report

__all__ = ["html", "shown_trace", "text"]

_FRAMES = 12
_PRE = (
    "margin:.2em 0;padding:.3em .6em;white-space:pre-wrap;background:none;color:inherit;"
    "border:1px solid var(--jp-border-color2, rgba(128,128,128,.35));"
    "font-family:var(--jp-code-font-family, ui-monospace, monospace)"
)
_MARK = "background:rgba(213,94,0,.20);font-weight:600"


def shown_trace(report: Report) -> tuple[Frame, ...]:
    """Return the frames worth showing: from the function to blame outward, without those marked with ``?``."""
    sure = [frame for frame in report.trace if frame.reliable] or list(report.trace)
    start = next((number for number, frame in enumerate(sure) if _blamed(report, frame)), 0)
    while start and sure[start - 1].inline:
        start -= 1
    return tuple(sure[start:])


def _blamed(report: Report, frame: Frame) -> bool:
    return frame.module == report.module and frame.function.partition(".")[0] == report.function and not frame.inline


def text(report: Report) -> str:
    """Return a report as lines for a terminal, in which nothing that a log holds can steer it."""
    return "\n".join(map(_harmless, _lines(report)))


def _harmless(line: str) -> str:
    line = line.expandtabs()
    return (
        line
        if line.isprintable()
        else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    )


def _lines(report: Report) -> Iterator[str]:
    yield report.title
    if report.where:
        yield f"  at {report.where}"
        for number, line in report.where.around:
            yield f"  {'>' if number == report.where.line else ' '} {number:5} | {line}"
    elif report.function:
        yield f"  in {report.function}{f' [{report.module}]' if report.module else ''}"
    frames = shown_trace(report)
    if frames:
        yield "  trace:"
        yield from (f"    {frame}" for frame in frames[:_FRAMES])
        if len(frames) > _FRAMES:
            yield f"    … {len(frames) - _FRAMES} more"
    for related in report.related:
        yield f"  {related.title}:"
        yield from (f"    {frame}" for frame in related.trace[:_FRAMES])
    yield f"  {report.explanation}"


def html(report: Report) -> str:
    """Return a report for a notebook, everything escaped."""
    return "".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    bar = "#e69f00" if report.tone == "warn" else "#d55e00"
    label = escape(report.title, quote=True)
    yield f'<section aria-label="{label}" style="border-left:4px solid {bar};padding:.1em .6em;margin:.4em 0">'
    yield f'<p style="margin:.2em 0;font-weight:600">{escape(report.title)}</p>'
    if report.where:
        yield f'<p style="margin:.2em 0">{linked(escape(str(report.where)))}</p>'
        if report.where.around:
            yield f'<pre style="{_PRE}">{_source(report.where.around, report.where.line)}</pre>'
    yield f'<p style="margin:.2em 0">{escape(report.explanation)}</p>'
    frames = shown_trace(report)
    if frames:
        yield f"<details><summary>Trace, innermost first ({len(frames)})</summary>"
        yield f'<pre style="{_PRE}">{_joined(frames)}</pre></details>'
    for related in report.related:
        yield f"<details><summary>{escape(related.title)}</summary>"
        yield f'<pre style="{_PRE}">{_joined(related.trace)}</pre></details>'
    yield "</section>"


def _joined(frames: Sequence[Frame]) -> str:
    return linked(escape("\n".join(map(str, frames))))


def _source(around: Sequence[tuple[int, str]], blamed: int) -> str:
    lines = []
    for number, line in around:
        row = escape(f"{'>' if number == blamed else ' '} {number:5} | {line}")
        lines.append(f'<span style="{_MARK}">{row}</span>' if number == blamed else row)
    return "\n".join(lines)
