# SPDX-License-Identifier: MIT
"""From the evidence of a trial to one verdict: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from kmodlab.errors import BuildError, ModuleLoadError
from kmodlab.machine.stall import Stall, hang_report, manner_of
from kmodlab.records.kmsg import KernelLog, KmsgRecord
from kmodlab.records.report import Report, Where
from kmodlab.records.table import format_bytes
from kmodlab.records.taint import Taint
from kmodlab.verdict.record import ORDER, Evidence, Finding, Leak, Source, Step, Verdict, Word

__all__ = ["judge", "stands_for"]

_HUNG = {"hung-task", "soft-lockup", "hard-lockup", "rcu-stall", "workqueue-lockup"}
_WARNING = 4  # the level of a warning in the kernel's log; a smaller number is worse
_POSITIVE = re.compile(r"^(?:\w+: )?'([\w-]+)'->init suspiciously returned (\d+)")
_TAINT_OF_REPORTS = {"die", "warn", "softlockup", "bad-page"}
"""Flags that stand for what a report tells at more length."""


def stands_for(report: Report) -> Word:
    """Return the verdict that a report of the kernel means: whether it went on decides between oopsed and warned."""
    if report.kind in _HUNG:
        return "hung"
    if report.kind == "memory-leak":
        return "leaked"
    return "oopsed" if report.oops or report.deadly else "warned"


def judge(name: str, evidence: Evidence) -> Verdict:
    """Return the verdict: the worst of what was found, the rest as its findings.

    Args:
        name: of the module, or of the folder.
        evidence: all of it.
    """
    found = sorted(_findings(evidence), key=lambda finding: _rank(finding.kind))
    main = found[0] if found and found[0].kind in ORDER else _clean(evidence, any(one.failing for one in found))
    rest = tuple(finding for finding in found if finding is not main)
    return Verdict(
        verdict=main.kind,  # type: ignore[arg-type]
        module=name,
        modules=evidence.modules,
        kernel=evidence.kernel,
        title=main.title,
        where=main.where,
        explanation=main.explanation,
        findings=rest,
        reports=(*_hang(evidence), *evidence.reports),
        exec=evidence.execs,
        leaks=evidence.leaks,
        log=KernelLog(evidence.log, caption="Kernel log", columns=KmsgRecord.COLUMNS),
        seconds=evidence.seconds,
        diagnostics=evidence.diagnostics,
        evidence=main.evidence,
        step=evidence.stalled if main.kind == "hung" else None,
    )


def _hang(evidence: Evidence) -> Iterator[Report]:
    if evidence.stall and evidence.stall.trace:
        yield _hang_of(evidence.stall, evidence)


def _hang_of(stall: Stall, evidence: Evidence) -> Report:
    return evidence.stall_report or hang_report(stall, ())


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def _clean(evidence: Evidence, failing: bool) -> Finding:
    what = "loaded, used and unloaded" if evidence.execs else "loaded and unloaded"
    subject = evidence.modules[0] if len(evidence.modules) == 1 else f"{len(evidence.modules)} modules"
    if failing:
        return Finding("clean", f"{subject}: the kernel has nothing to complain about, but something else fell short")
    return Finding("clean", f"{subject}: {what}, and the kernel has nothing to complain about")


def _findings(evidence: Evidence) -> Iterator[Finding]:
    if evidence.lost:
        again = "This says nothing about the module: try again, and run ./lab doctor if it happens again."
        yield Finding("machine-lost", evidence.lost, again, evidence="host")
    if evidence.build_error:
        yield _build_error(evidence.build_error)
    kinds = [_stands_for(report, evidence) for report in evidence.reports]
    fatal = evidence.stall is not None or evidence.ended or {"oopsed", "hung"} & set(kinds)
    if evidence.load_error:
        yield _load_error(evidence.load_error, "note" if fatal else "load-error")
    if evidence.stall and evidence.stalled:
        yield _stall(evidence.stall, evidence.stalled, _hang_of(evidence.stall, evidence))
    for report, kind in zip(evidence.reports, kinds, strict=True):
        yield Finding(kind, report.title, report.explanation, report.where, evidence="console")
    yield from _remarks(evidence.log)
    if evidence.ended and "oopsed" not in kinds and not evidence.stall:
        yield _gone(evidence.ended)
    if evidence.leaks:
        yield _leaks(evidence.leaks)
    yield from _taint(evidence.taint, evidence.taint_source, kinds)
    for one in evidence.execs:
        if one.exit_status:
            yield Finding("exec-failed", f"`{one.line}` ended with exit status {one.exit_status}", one.output.strip())
    yield from evidence.notes


def _stands_for(report: Report, evidence: Evidence) -> str:
    """What a report means in the light of the rest: who writes to the log can print any report.

    An oops leaves a mark in the kernel's memory, which the host reads by itself, and a panic ends the machine; without
    either nothing has died.
    """
    lives = evidence.taint_source == "host" and not evidence.ended and not evidence.stall
    return "distrust" if lives and report.oops and "die" not in evidence.taint else stands_for(report)


def _remarks(log: Sequence[KmsgRecord]) -> Iterator[Finding]:
    """What the kernel remarks on in a line of its own, without a report."""
    for record in log:
        if record.level <= _WARNING and (found := _POSITIVE.search(record.text)):
            words = "The function that module_init() names returns 0 if all went well, else an error such as -ENOMEM."
            yield Finding("warned", f"{found[1]}: init returned {found[2]}", words, evidence="console")


def _build_error(error: BuildError) -> Finding:
    first = next((one for one in error.diagnostics if one.severity == "error"), None)
    if first is None:
        title, _, rest = str(error).partition("\n")
        return Finding("build-error", title, rest, evidence="build")
    where = Where(first.file, first.line, "", first.source) if first.line else None
    title = first.message if where or not first.where else f"{first.where}: {first.message}"
    return Finding("build-error", title, _sentence(first.hint), where, evidence="build")


def _load_error(error: ModuleLoadError, kind: str) -> Finding:
    title, _, advice = str(error).partition("; ")
    return Finding(kind, title, _sentence(advice))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].removesuffix(".") + "." if words else ""


def _gone(how: str) -> Finding:
    if how == "panic":
        return Finding("oopsed", "kernel panic", "The kernel gave up; its log ends with the reason.", evidence="host")
    if how == "agent":
        words = "The agent, which is spared by the out-of-memory killer, is gone: look for memory that was overwritten."
        return Finding("oopsed", "the guest no longer works", words, evidence="host")
    words = "Something asked for a restart, or the processor met three faults in a row, as with a broken stack."
    return Finding("oopsed", "the machine was reset", words, evidence="host")


def _stall(stall: Stall, step: Step, report: Report) -> Finding:
    source: Source = "guest" if stall.answered else "host"
    return Finding("hung", f"{report.title}, {step}", manner_of(stall)[1], report.where, evidence=source)


def _leaks(leaks: Sequence[Leak]) -> Finding:
    where = next((leak.where for leak in leaks if leak.where), None)
    advice = "Undo on every path (the exit function, and each failing path of init) what was made, in reverse order."
    return Finding("leaked", _leaks_title(leaks), advice, where)


def _leaks_title(leaks: Sequence[Leak]) -> str:
    """What a file or thread says by its name tells more than its memory, so that goes first."""
    memory = [leak for leak in leaks if leak.size is not None]
    things = [leak.what for leak in leaks if leak.size is None]
    size = format_bytes(sum(leak.size or 0 for leak in memory))
    objects = f"{len(memory)} objects ({size}) never freed"
    if not things:
        return memory[0].what if len(memory) == 1 else objects
    more = [f"{len(things) - 1} more such things"] if len(things) > 1 else []
    more += [objects if len(memory) > 1 else f"{size} never freed"] if memory else []
    return f"{things[0]}{'; and ' if more else ''}{', '.join(more)}"


def _taint(taint: Taint, source: Source, kinds: Iterable[str]) -> Iterator[Finding]:
    told = bool(list(kinds))
    for flag in taint.beyond_expected:
        if not (told and flag.name in _TAINT_OF_REPORTS):
            title = f"the kernel is tainted: {flag.name} ({flag.letter})"
            yield Finding("warned", title, flag.meaning, evidence=source)
