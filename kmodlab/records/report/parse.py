# SPDX-License-Identifier: MIT
"""Finds the reports in a log."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.report import bugs, faults, hangs, locks, sanitizers
from kmodlab.records.report.body import is_body
from kmodlab.records.report.collect import Draft
from kmodlab.records.report.form import Form
from kmodlab.records.report.prefix import Line, lines_of
from kmodlab.records.report.record import Report
from kmodlab.records.table import Rows

__all__ = ["parse_reports"]

_FORMS: tuple[Form, ...] = (*faults.FORMS, *sanitizers.FORMS, *locks.FORMS, *hangs.FORMS, *bugs.FORMS)
# A line without any of these words is no first line; most lines end here.
_WORDS = re.compile(
    r"BUG|WARNING|INFO:|[Uu]nable to|rror|panic|PANIC|fault|int3|opcode|Oops|KASAN|UBSAN|stack|KERNEL|LOCK|list_"
    r"|refcount_t"
    r"|usercopy|Buffer|buffer|memcpy|vfree|kobject|proc_|name '|leak|unreferenced|suspicious|exception|BRK|Bad mode"
    r"|alignment|control"
    r"|bounds|overflow|debug|machine|segment|TSS|pinned"
)
_LEAD = re.compile(r"------------\[ cut here|={20,}$|kernel tried to execute|unable to execute|-{20,}$")
_CUT = "------------[ cut here"
_GENERIC_PANIC = re.compile(rf"Kernel panic - not syncing: (?:{bugs.GENERIC_PANIC})")
_WARNING = 4
_LEAD_LINES = 16
_GAP = 40
"""So many lines in a row that are not of a report's body end it."""
_AFTER_END = 1000
"""So many lines after the end of a report may a panic come that is its doing."""
_SPREADS = {"rcu-stall", "soft-lockup", "hard-lockup", "hung-task"}


def parse_reports(log: str | Iterable[KmsgRecord], *, modules: Iterable[str] = ()) -> Rows[Report]:
    """Return the faults that the kernel reported in a log, in their order.

    It never raises on a damaged log. Only the kernel's own forms count, from the start of a line and, where the log
    has levels, at level ``warning`` or worse. Who may write to the log (a module, after it was loaded) can forge any
    of it; ``Report.complete`` is false where only the first line of a report stands there.

    Args:
        log: text from anywhere (a console, ``dmesg``, a journal, a bug report), or records.
        modules: names of modules that are looked at first for the function to blame, beside those that the reports
            mark as built outside the kernel's tree.
    """
    reader = _Reader()
    for line in lines_of(log):
        reader.take(line)
    ours = tuple(modules)
    drafts = sorted(reader.drafts, key=lambda draft: draft.lines[0].number)
    known = {name for draft in drafts for name in draft.ours}
    reports = [draft.report((*ours, *known)) for draft in drafts]
    return Rows(reports, caption="Reports of the kernel", columns=Report.COLUMNS)


class _Reader:
    """Reads a log line by line; reports of several tasks at once are kept apart where the log names the callers."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self._open: dict[str, Draft] = {}
        self._gap: dict[str, int] = {}
        self._lead: dict[str, list[Line]] = {}
        self._spreading: Draft | None = None

    def take(self, line: Line) -> None:
        """Take in the next line."""
        if line.level is not None and line.level > 7:
            return  # a program wrote it
        found = _form_of(line)
        if found and found[0].begins:
            self._first(line, *found)
        elif (draft := self._draft_for(line)) is not None and not draft.full:
            self._next(draft, line, found)
        else:
            self._leading(line)

    def _draft_for(self, line: Line) -> Draft | None:
        draft = self._open.get(line.caller)
        if draft is None and line.caller and self._spreading and is_body(line):
            return self._spreading
        return draft

    def _first(self, line: Line, form: Form, found: re.Match[str]) -> None:
        draft = self._open.get(line.caller)
        if form.kind == "panic" and _GENERIC_PANIC.match(line.text):
            draft = draft or self._recent(line)
            if draft is not None:
                draft.deadly = True
                self._open[line.caller] = draft
                self._gap[line.caller] = 0
                draft.add(line, True)
                return
        if draft is not None and _goes_on(draft, form):
            draft.add_form(form, found, line)
            self._next(draft, line, None, body=True)
            return
        self._begin(line, form, found)

    def _recent(self, line: Line) -> Draft | None:
        last = self.drafts[-1] if self.drafts else None
        return last if last and line.number - last.last <= _AFTER_END else None

    def _begin(self, line: Line, form: Form, found: re.Match[str]) -> None:
        draft = Draft(line, form, found)
        lead = self._lead.pop(line.caller, [])
        held = self._open.get(line.caller)
        if held is not None:
            lead = _tail(held)
        for before in lead:
            if line.number - before.number <= _LEAD_LINES:
                draft.add(before, True)
                hint = _form_of(before)
                if hint and not hint[0].begins:
                    draft.add_form(*hint, before)
        draft.add(line, True)
        self.drafts.append(draft)
        self._open[line.caller] = draft
        self._gap[line.caller] = 0
        self._spreading = draft if form.kind in _SPREADS else None

    def _next(self, draft: Draft, line: Line, hint: tuple[Form, re.Match[str]] | None, *, body: bool = False) -> None:
        body = body or is_body(line)
        if hint and not draft.traced:
            draft.add_form(*hint, line)
        if line.text.startswith(_CUT) and (draft.traced or len(draft.forms) > 1):
            self._close(line.caller)
            self._leading(line)
            return
        draft.add(line, body)
        gap = self._gap[line.caller] = 0 if body else self._gap.get(line.caller, 0) + 1
        if gap > _GAP:
            self._close(line.caller)

    def _close(self, caller: str) -> None:
        draft = self._open.pop(caller, None)
        if draft is self._spreading:
            self._spreading = None

    def _leading(self, line: Line) -> None:
        """Keep what may turn out to stand before a report: ``cut here`` and what follows it, and a few other lines."""
        lead = self._lead.setdefault(line.caller, [])
        if lead and line.number - lead[0].number > _LEAD_LINES:
            lead.clear()
        hint = _form_of(line)
        if lead or _LEAD.match(line.text) or (hint and not hint[0].begins):
            lead.append(line)


def _form_of(line: Line) -> tuple[Form, re.Match[str]] | None:
    """The form of a line by which the kernel names a fault."""
    text = line.text
    if not _WORDS.search(text):
        return None
    for form in _FORMS:
        if form.loud and line.level is not None and line.level > _WARNING:
            continue
        found = form.pattern.match(text)
        if found:
            return form, found
    return None


def _goes_on(draft: Draft, form: Form) -> bool:
    """Whether a form says more of the report that is open, or begins another."""
    return form.follows and not draft.ended and not draft.framed and draft.form.kind != "panic"


def _tail(draft: Draft) -> list[Line]:
    """Give up the lines at the end of a report that belong to the next: ``cut here`` and what stands after it."""
    tail: list[Line] = []
    for line in draft.lines[-_LEAD_LINES:][::-1]:
        hint = _form_of(line)
        if not (_LEAD.match(line.text) or (hint and not hint[0].begins) or line.number > draft.last):
            break
        tail.append(line)
    tail.reverse()
    first = next((number for number, line in enumerate(tail) if _LEAD.match(line.text) or _form_of(line)), len(tail))
    tail = tail[first:]
    if tail and len(draft.lines) > len(tail):
        del draft.lines[-len(tail) :]
        draft.last = min(draft.last, draft.lines[-1].number)
    return tail
