# SPDX-License-Identifier: MIT
"""One report while its lines are being gathered."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from kmodlab.records.report.blame import guilty
from kmodlab.records.report.body import HEADER, NOT_A_TRACE
from kmodlab.records.report.form import Form
from kmodlab.records.report.frames import (
    bare_name,
    context_of,
    place_of,
    read_frame,
    read_pointer,
    user_pointer,
)
from kmodlab.records.report.machinery import INTERRUPT
from kmodlab.records.report.prefix import Line
from kmodlab.records.report.record import Frame, Related, Report

__all__ = ["TASK", "Draft"]

_TAINT = re.compile(r"(?:^|\s)Tainted: (?P<letters>[A-Z ]{1,40}?)(?=\s+[\d.]|\s*$|\s+[a-z#(])|(?P<clean>Not tainted)")
_TAINT_WORDS = re.compile(r"\[([A-Z])\]=")
TASK = re.compile(r"CPU: [0-9]+ (?:UID: [0-9]+ )?PID: (?P<pid>[0-9]+) Comm: (?P<comm>.{1,40}?) (?:Not t|T)ainted")
"""The line of a report that names the task; since Linux 6.12 with its user."""
_TASK_NEW = re.compile(r"WARNING: .{1,600}, CPU#[0-9]+: (?P<comm>.{1,40})/(?P<pid>[0-9]+)$")
_HUNG = re.compile(r"INFO: task (?P<comm>.{1,40}):(?P<pid>[0-9]+) ")
_MODULES = re.compile(r"Modules linked in: ?(.*)")
_OURS = re.compile(r"([\w-]{1,60})\([A-Z+-]*O[A-Z+-]*\)")
_ACCESS = re.compile(
    r"#PF: \w+ (?P<how>read|write|instruction fetch)|^(?P<rw>Read|Write) (?:of size [0-9]+ )?(?:at addr "
    r"(?:0x)?(?P<address>[0-9a-f]+)|by task)"
    r"|Oops: (?P<code>[0-9a-f]{4}) \[#|WnR = (?P<wnr>[01])|[Uu]nable to handle kernel (?P<words>read|write|exec\w+)\b"
    r"|^(?:Use-after-free|Out-of-bounds|Invalid) (?P<kfence>read|write) at (?P<where>0x[0-9a-f]+)"
)
_END = re.compile(r"---\[ end (?:trace|Kernel panic)")
_AT = re.compile(r"(?:is trying to (?:acquire|release) lock|is trying to lock|takes:|is freeing memory)")
_ENDING = frozenset(
    (
        *("null-dereference", "page-fault", "user-access", "execute-fault", "general-protection", "divide-error"),
        *("invalid-opcode", "breakpoint", "stack-segment", "exception", "oops", "stack-overflow", "double-fault"),
        *("bug", "ubsan-trap"),
    )
)
"""What ends the task, or the machine."""
_LONGEST = 4000
_USER_END = 1 << 47


class _Trace:
    """A trace of the report, with the instruction pointer that was shown before it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.frames: list[Frame] = []
        self.pointers: list[Frame] = []
        self.wild = False
        self.closed = False
        self.called = False

    def whole(self) -> tuple[Frame, ...]:
        frames = self.frames
        # On arm64 the trace begins with the instruction pointer itself.
        if self.pointers and frames and _same(self.pointers[-1], frames[0]):
            frames = frames[1:]
        return (*self.pointers, *frames)


def _same(one: Frame, other: Frame) -> bool:
    return (one.function, one.offset) == (other.function, other.offset)


class Draft:
    """A report that is being read.

    Args:
        line: its first line.
        form: by which it was recognised.
        found: the match of the form's pattern.
    """

    def __init__(self, line: Line, form: Form, found: re.Match[str]) -> None:
        self.lines: list[Line] = []
        self.last = line.number
        self.forms: list[tuple[Form, re.Match[str], Line]] = []
        self.traces = [_Trace("")]
        self.context = ""
        self.ended = False
        self.deadly = False
        self.taint: str | None = None
        self.task = self.access = ""
        self.address: int | None = None
        self.ours: set[str] = set()
        self.named: Frame | None = None
        self.last_function = ""
        self._await_named = False
        self.add_form(form, found, line)

    # -- Reading --------------------------------------------------------------------------------------------------

    def add_form(self, form: Form, found: re.Match[str], line: Line) -> None:
        """Take in a line by which the kernel names the fault."""
        self.forms.append((form, found, line))
        if form.kind != "panic" and self.named is None and form.search != "hang":
            self.named = place_of(line.text)

    @property
    def form(self) -> Form:
        """The form that names the report."""
        return self._best()[0]

    def _best(self) -> tuple[Form, re.Match[str], Line]:
        return max(self.forms, key=lambda entry: entry[0].rank)

    @property
    def traced(self) -> bool:
        """True once the report has shown a trace or an instruction pointer."""
        return any(trace.frames or trace.pointers or trace.wild for trace in self.traces)

    @property
    def framed(self) -> bool:
        """True once the report has shown a frame of a trace."""
        return any(trace.frames for trace in self.traces)

    @property
    def full(self) -> bool:
        """True if the report has grown beyond what any report has."""
        return len(self.lines) >= _LONGEST

    def add(self, line: Line, body: bool) -> None:
        """Take in a line; one that is not of a report's body counts only if the body goes on after it."""
        self.lines.append(line)
        if not body:
            return
        self.last = line.number
        text = line.text
        self._facts(text)
        if self.ended:
            return
        if _END.match(text):
            self.ended = True
        else:
            self._trace_line(text)

    def _facts(self, text: str) -> None:
        if self.taint is None and "ainted" in text and (found := _TAINT.search(text)):
            self.taint = "" if found["clean"] else found["letters"].replace(" ", "").replace("G", "")
        if not self.task and (found := TASK.search(text) or _HUNG.match(text) or _TASK_NEW.match(text)):
            self.task = f"{found['comm']}/{found['pid']}"
        if "Modules linked in" in text and (found := _MODULES.match(text.strip())):
            self.ours.update(_OURS.findall(found[1]))
        if not self.access and (found := _ACCESS.search(text)):
            self._accessed(found)

    def _accessed(self, found: re.Match[str]) -> None:
        parts = found.groupdict()
        word = parts["how"] or (parts["rw"] or parts["words"] or parts["kfence"] or "").lower()
        if parts["code"]:
            bits = int(parts["code"], 16)
            word = "execute" if bits & 16 else "write" if bits & 2 else "read"
        elif parts["wnr"]:
            word = "write" if parts["wnr"] == "1" else "read"
        self.access = "execute" if word.startswith(("exec", "instr")) else word
        if address := parts["address"] or parts["where"]:
            self.address = int(address, 16)

    def _trace_line(self, text: str) -> None:
        self.context = context_of(text, self.context)
        if self._await_named or _AT.search(text):
            self._holder(text)
        if NOT_A_TRACE.match(text):
            return
        trace = self.traces[-1]
        pointer = read_pointer(text, self.context)
        if user_pointer(text):
            trace.closed = bool(trace.frames) or trace.closed
        elif pointer is not None:
            self._pointer(trace, pointer)
        elif frame := read_frame(text, self.context):
            if not trace.closed:
                self._frame(trace, frame)
        elif found := HEADER.match(text):
            self._header(found, text)

    def _holder(self, text: str) -> None:
        """Note where the lock was taken that the report is about: ``at: foo+0x10/0x20``, here or a line below."""
        place = place_of(text)
        if place is None:
            self._await_named = not self._await_named
            return
        self._await_named = False
        if self.form.search == "lock" and (self.named is None):
            self.named = place

    def _pointer(self, trace: _Trace, pointer: Frame | str) -> None:
        if isinstance(pointer, str):
            trace.wild = True
        elif trace.frames:
            self._frame(trace, pointer)
        elif not any(_same(pointer, known) for known in trace.pointers):
            exact = not any(form.kind == "breakpoint" for form, _, _ in self.forms)
            trace.pointers.append(dataclasses.replace(pointer, exact=exact))

    def _frame(self, trace: _Trace, frame: Frame) -> None:
        before = trace.frames[-1] if trace.frames else None
        if before and not frame.exact and before.reliable and frame.reliable and INTERRUPT.match(before.function):
            frame = dataclasses.replace(frame, exact=True)
        if before and before.exact and _same(before, frame):
            return
        trace.frames.append(frame)

    def _header(self, found: re.Match[str], text: str) -> None:
        if found["last"]:
            self.last_function = found["last"]
            return
        trace = self.traces[-1]
        if found["call"] and not trace.frames:
            trace.called = True
            trace.closed = False
            return
        self.context = ""
        self.traces.append(_Trace("" if found["call"] else text.strip().rstrip(":")))
        self.traces[-1].called = bool(found["call"])

    # -- The report -----------------------------------------------------------------------------------------------

    def report(self, ours: Sequence[str] = ()) -> Report:
        """Return what was read."""
        form, found, _ = self._best()
        traces = [trace for trace in self.traces if trace.frames or trace.pointers]
        likely = self._likely(traces)
        blamed = self._blamed(form, likely, {*self.ours, *ours})
        trace = next((one for one in likely if blamed in one.whole()), likely[0] if likely else None)
        function = bare_name(blamed.function) if blamed else ""
        panicked = self.deadly or any(one.title.startswith("kernel panic") for one, _, _ in self.forms)
        kept = tuple(each for each in self.lines if each.number <= self.last)
        return Report(
            kind=self._kind(_filled(form.kind, found)),
            title=self._title(function),
            function=function,
            module=blamed.module if blamed else "",
            access=self._access(),
            address=self._address(),
            taint=self._letters(),
            trace=trace.whole() if trace else (),
            lines=(kept[0].number, kept[-1].number),
            records=tuple(each.record for each in kept),
            related=tuple(Related(one.title, one.whole()) for one in traces if one is not trace and one.title),
            task=self.task,
            oops=panicked or bool(_ENDING & {one.kind for one, _, _ in self.forms}),
            deadly=panicked,
            complete=bool(traces) or self.taint is not None or form.search == "text",
        )

    def _likely(self, traces: list[_Trace]) -> list[_Trace]:
        if self.form.search == "lock":
            called = [trace for trace in traces if trace.called]
            return called[-1:] or traces[:1]
        if self.form.search == "hang":
            return [trace for trace in traces if not trace.title.startswith("rcu: RCU grace-period")]
        return [trace for trace in traces if not trace.title][:1] or traces[:1]

    def _blamed(self, form: Form, likely: list[_Trace], ours: set[str]) -> Frame | None:
        if self.last_function:
            return Frame(self.last_function)
        wild = [trace.whole() for trace in likely]
        return guilty(wild, form.search, ours, self.named)

    def _title(self, function: str) -> str:
        form, found, line = max((entry for entry in self.forms if entry[0].title), key=lambda entry: entry[0].rank)
        template = form.title if function else form.title.replace(" in {function}", "")
        access = {"read": " Read", "write": " Write"}.get(self.access, "")
        filled = template.replace("{function}", function).replace("{access}", access)
        return _filled(filled, found).replace("{line}", line.text).strip()

    def _kind(self, kind: str) -> str:
        address = self._address()
        if kind == "page-fault" and self._access() == "execute":
            kind = "execute-fault"
        elif kind == "page-fault" and address is not None and address < _USER_END:
            kind = "user-access"
        return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")

    def _letters(self) -> str:
        words = next((line.text for line in self.lines if line.text.startswith("Tainted: [")), "")
        return "".join(_TAINT_WORDS.findall(words)) or self.taint or ""

    def _access(self) -> str:
        return next((form.access for form, _, _ in self.forms if form.access), self.access)

    def _address(self) -> int | None:
        for _, found, _ in self.forms:
            text = found.groupdict().get("address") or found.groupdict().get("address2")
            if text:
                return int(text, 16)
        return 0 if self.form.kind == "null-dereference" else self.address


_OFFSETS = re.compile(r"([\w$]+)[\w.$]*\+0x[0-9a-f]+/0x[0-9a-f]+")


def _filled(template: str, found: re.Match[str]) -> str:
    name = found.groupdict().get("name")
    return template.replace("{name}", _OFFSETS.sub(r"\1", name or "").strip()) if "{name}" in template else template
