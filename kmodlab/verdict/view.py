# SPDX-License-Identifier: MIT
"""How a verdict looks: what happened, where in the source, what to try; then the evidence."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from kmodlab.records.kmsg import KernelLog, KmsgRecord
from kmodlab.records.report import Where
from kmodlab.verdict.record import Finding, Verdict

__all__ = ["html", "text"]

_WIDTH = 96
_LOG_LINES = 12
_TRACED = {"hung", "oopsed", "warned"}
_ASKED = ("sysrq: Show backtrace", "Uhhuh. NMI received")
"""What the search for a hang's place writes to the log; it tells the module's author nothing new."""
_COLOURS = {"clean": "#009e73", "warned": "#e69f00", "leaked": "#e69f00", "machine-lost": "#56b4e9"}
_BAD = "#d55e00"
_PRE = (
    "margin:.3em 0;padding:.3em .6em;white-space:pre-wrap;background:rgba(128,128,128,.10);color:inherit;"
    "font-family:var(--jp-code-font-family, ui-monospace, monospace)"
)


def text(verdict: Verdict) -> str:
    """Return a verdict as text of at most 96 columns (but for lines of source and log)."""
    parts = [_wrapped(f"{verdict.module}: {verdict.verdict.upper()}: {verdict.title}")]
    if verdict.where:
        parts.append(_source(verdict.where))
    if verdict.explanation:
        parts.append(_wrapped(verdict.explanation))
    for report in verdict.reports[: verdict.verdict in _TRACED]:
        trace = [str(frame) for frame in report.trace if frame.reliable][:8]
        parts += ["called by way of:\n" + "\n".join(f"    {line}" for line in trace)] if len(trace) > 1 else []
    if len(verdict.leaks) > 1:
        parts.append("left behind:\n" + "\n".join(f"    {leak.what}" for leak in verdict.leaks[:10]))
    if verdict.findings:
        also = Counter(map(_finding, verdict.findings))
        parts.append("also:\n" + "\n".join(_often(words, count) for words, count in list(also.items())[:10]))
    parts += [*_execs(verdict), *_log(verdict), _footer(verdict)]
    return "\n\n".join(parts)


def _often(words: str, count: int) -> str:
    return words if count == 1 else f"{words} ({count} times)"


def _wrapped(words: str, indent: str = "") -> str:
    return textwrap.fill(words, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _source(where: Where) -> str:
    lines = [str(where) if where.function else f"{where.file}:{where.line}"]
    around: Sequence[tuple[int, str]] = where.around or ([(where.line, where.source)] if where.source else [])
    for number, line in around:
        mark = ">" if number == where.line else " "
        lines.append(f"{mark} {number:5} | {line.expandtabs()}".rstrip())
    return "\n".join(lines)


def _finding(finding: Finding) -> str:
    place = f"{finding.where.file}:{finding.where.line}: " if finding.where else ""
    return _wrapped(f"{finding.kind}: {place}{finding.title}", "    ")


def _execs(verdict: Verdict) -> Iterator[str]:
    for one in verdict.exec:
        status = "did not end" if one.exit_status is None else f"exit status {one.exit_status}"
        output = "".join(f"\n    {line}" for line in one.output.splitlines()[:20])
        yield f"$ {one.line}    ({status}){output}"


def _log(verdict: Verdict) -> Iterator[str]:
    if verdict.log and verdict.verdict not in {"build-error"}:
        shown = _telling(verdict)
        left = len(verdict.log) - len(shown)
        more = f" ({left} more lines: .log, or --json)" if left > 0 else ""
        yield f"kernel log{more}:\n" + "\n".join(f"    {record}" for record in shown)


def _telling(verdict: Verdict) -> list[KmsgRecord]:
    """The log's lines that say most: those before the first report and its beginning, or the last ones."""
    log = list(verdict.log)
    asked = next((n for n, record in enumerate(log) if record.text.startswith(_ASKED)), len(log))
    if asked < len(log):
        return log[:asked][-_LOG_LINES:]
    if verdict.reports and verdict.reports[0].lines[0]:
        first = verdict.reports[0].lines[0] - 1
        return log[max(0, first - 3) : first + _LOG_LINES - 3]
    return log[-_LOG_LINES:]


def _footer(verdict: Verdict) -> str:
    times = ", ".join(f"{name} {value:.1f} s" for name, value in verdict.seconds.items())
    return f"Linux {verdict.kernel}; {times}" if verdict.kernel else times


def html(verdict: Verdict) -> str:
    """Return a verdict as HTML: a heading with a word and not only a colour, escaped throughout."""
    colour = _COLOURS.get(verdict.verdict, _BAD)
    head = (
        f'<div role="status" style="border-left:5px solid {colour};padding:.2em .8em;margin:.4em 0">'
        f'<p style="margin:.2em 0"><strong>{escape(verdict.module)}: {escape(verdict.verdict)}</strong> — '
        f"{escape(verdict.title)}</p>"
    )
    parts = [head]
    if verdict.where:
        parts.append(f'<pre style="{_PRE}">{escape(_source(verdict.where))}</pre>')
    if verdict.explanation:
        parts.append(f'<p style="margin:.3em 0">{escape(verdict.explanation)}</p>')
    parts.append("</div>")
    if verdict.findings:
        parts.append("<p>Also:</p><ul>" + "".join(map(_item, verdict.findings[:20])) + "</ul>")
    if verdict.leaks:
        parts.append(_folded("Left behind", "\n".join(leak.what for leak in verdict.leaks)))
    for report in verdict.reports[: verdict.verdict in _TRACED]:
        parts.append(_folded("Trace", "\n".join(str(frame) for frame in report.trace if frame.reliable)))
    parts += [_folded(f"$ {one.line}", one.output or "(no output)") for one in verdict.exec]
    if verdict.log:
        log = KernelLog(verdict.log, caption="Kernel log", columns=KmsgRecord.COLUMNS)
        parts.append(f"<details><summary>Kernel log ({len(log)} lines)</summary>{log._repr_html_()}</details>")
    parts.append(f'<p style="opacity:.75;margin:.3em 0">{escape(_footer(verdict))}</p>')
    return "".join(parts)


def _item(finding: Finding) -> str:
    place = f"{finding.where.file}:{finding.where.line}: " if finding.where else ""
    return f"<li><strong>{escape(finding.kind)}</strong>: {escape(place + finding.title)}</li>"


def _folded(title: str, content: str) -> str:
    return f'<details><summary>{escape(title)}</summary><pre style="{_PRE}">{escape(content)}</pre></details>'
