# SPDX-License-Identifier: MIT
"""Which functions of a module ran, who called them and how long they took, from the tracer ``function_graph``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

from kmodlab.records.table import Column, Rows

__all__ = ["CallEdge", "FunctionCall", "FunctionTime", "FunctionTrace", "format_us", "parse_functions"]

_LINE = re.compile(
    r"^\s*(?P<seconds>\d+\.\d+) \|\s+(?P<cpu>\d+)\)\s+(?P<task>\S.*?)-(?P<pid>\d+)\s+\|\s*[$@*#!+]?\s*"
    r"(?:(?P<us>\d+\.\d+) us)?\s+\|\s+(?P<rest>\S.*)$"
)
_CALL = re.compile(r"^(?P<function>[\w.]+)(?: \[(?P<module>\w+)\])?\(.*?\)(?: (?P<opens>\{)|;)")


def format_us(us: float) -> str:
    """Return microseconds for people, with three digits: ``0.42 µs``, ``12.3 µs``, ``1.69 ms``, ``2.5 s``."""
    for unit, step in (("µs", 1.0), ("ms", 1e3), ("s", 1e6)):
        if us / step < 999.5 or unit == "s":
            break
    value = us / step
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One call of a module's function; times are microseconds, and count what the task slept.

    Attributes:
        function: its name, or its address if the module was gone when the trace was read.
        module: the module that it belongs to.
        caller: the traced function that called it; empty if the kernel did.
        task, pid, cpu: who ran it, and where it began.
        seconds: when it began, on the trace's clock.
        us: how long it took.
        own_us: how long without the traced functions that it called.
    """

    function: str
    module: str
    caller: str
    task: str
    pid: int
    cpu: int
    seconds: float
    us: float
    own_us: float

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("seconds", "at (s)"),
        Column("task"),
        Column("function", kind="code"),
        Column("called_by", "called by", "code"),
        Column("took", kind="number"),
    )

    @property
    def called_by(self) -> str:
        """Its caller, or ``the kernel``."""
        return self.caller or "the kernel"

    @property
    def took(self) -> str:
        """How long it took, for people."""
        return format_us(self.us)


@dataclass(frozen=True, slots=True)
class FunctionTime:
    """All calls of one function together; times are microseconds.

    Attributes:
        name: the function.
        calls: how often it was called.
        us: how long all calls took.
        own_us: how long without the traced functions that it called.
        median_us, longest_us: of one call.
    """

    name: str
    calls: int
    us: float
    own_us: float
    median_us: float
    longest_us: float

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "function"),
        Column("calls", kind="number"),
        Column("total", "in all", "number"),
        Column("itself", kind="number"),
        Column("median", "median call", "number"),
        Column("longest", "longest call", "number"),
    )

    @property
    def total(self) -> str:
        """``us`` for people."""
        return format_us(self.us)

    @property
    def itself(self) -> str:
        """``own_us`` for people."""
        return format_us(self.own_us)

    @property
    def median(self) -> str:
        """``median_us`` for people."""
        return format_us(self.median_us)

    @property
    def longest(self) -> str:
        """``longest_us`` for people."""
        return format_us(self.longest_us)


@dataclass(frozen=True, slots=True)
class CallEdge:
    """One function called another.

    Attributes:
        caller: empty if the kernel called.
        function: what was called.
        calls: how often.
    """

    caller: str
    function: str
    calls: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("called_by", "caller", "code"),
        Column("function", "calls", "code"),
        Column("calls", "times", "number"),
    )

    @property
    def called_by(self) -> str:
        """The caller, or ``the kernel``."""
        return self.caller or "the kernel"


@dataclass(frozen=True, slots=True)
class FunctionTrace:
    """What the functions of some modules did while they were traced.

    Attributes:
        modules: the modules.
        calls: every call that ended, in the order in which they began.
        lost: events for which the trace buffer had no room, so that early calls are missing.
        unfinished: calls that had not ended.
    """

    modules: tuple[str, ...]
    calls: Rows[FunctionCall]
    lost: int = 0
    unfinished: int = 0

    @property
    def functions(self) -> Rows[FunctionTime]:
        """The functions, that in which most time went first."""
        found: dict[str, list[FunctionCall]] = {}
        for call in self.calls:
            found.setdefault(call.function, []).append(call)
        rows = sorted((_together(name, calls) for name, calls in found.items()), key=lambda row: -row.own_us)
        return Rows(rows, caption=f"Functions of {', '.join(self.modules)}", columns=FunctionTime.COLUMNS)

    @property
    def edges(self) -> Rows[CallEdge]:
        """Who called whom, how often."""
        counts: dict[tuple[str, str], int] = {}
        for call in self.calls:
            counts[call.caller, call.function] = counts.get((call.caller, call.function), 0) + 1
        rows = (CallEdge(*pair, count) for pair, count in counts.items())
        return Rows(rows, caption=f"Calls in {', '.join(self.modules)}", columns=CallEdge.COLUMNS)

    def __str__(self) -> str:
        """The functions as a table, and what is missing."""
        lost = f"\n{self.lost} events were lost: the first calls are missing" if self.lost else ""
        return f"{self.functions}{lost}"

    def _repr_html_(self) -> str:
        """Return the functions as a table for a notebook."""
        return self.functions._repr_html_()


def _together(name: str, calls: Sequence[FunctionCall]) -> FunctionTime:
    times = [call.us for call in calls]
    # A function that calls itself would count its inner calls twice.
    outer = sum(call.us for call in calls if call.caller != name)
    own = sum(call.own_us for call in calls)
    return FunctionTime(name, len(calls), round(outer, 3), round(own, 3), round(median(times), 3), round(max(times), 3))


@dataclass(slots=True)
class _Open:
    """A call that has not ended yet."""

    function: str
    module: str
    caller: str
    seconds: float
    cpu: int
    place: int  # among all calls, in the order in which they began
    inside: float = 0.0


@dataclass(slots=True)
class _Reader:
    """Follows each task through its calls."""

    stacks: dict[tuple[int, int], list[_Open]] = field(default_factory=dict)
    calls: list[tuple[int, FunctionCall]] = field(default_factory=list)
    begun: int = 0

    def take(self, line: re.Match[str]) -> None:
        pid, cpu = int(line["pid"]), int(line["cpu"])
        # Every processor has an idle task of the same number; any other task may come back on another processor.
        stack = self.stacks.setdefault((pid, cpu if pid == 0 else -1), [])
        if line["rest"].startswith("}"):
            if stack and line["us"]:
                self._end(stack, line, stack.pop())
            return
        call = _CALL.match(line["rest"])
        if call is None:
            return
        caller = stack[-1].function if stack else ""
        one = _Open(call["function"], call["module"] or "", caller, float(line["seconds"]), cpu, self.begun)
        self.begun += 1
        if call["opens"]:
            stack.append(one)
        elif line["us"]:
            self._end(stack, line, one)

    def _end(self, stack: list[_Open], line: re.Match[str], one: _Open) -> None:
        us = float(line["us"])
        if stack:
            stack[-1].inside += us
        own = round(max(us - one.inside, 0.0), 3)
        task, pid = line["task"], int(line["pid"])
        call = FunctionCall(one.function, one.module, one.caller, task, pid, one.cpu, one.seconds, us, own)
        self.calls.append((one.place, call))


def parse_functions(text: str, modules: Sequence[str] = (), lost: int = 0) -> FunctionTrace:
    """Return the calls that a trace tells of.

    Args:
        text: ``/sys/kernel/tracing/trace`` of the tracer ``function_graph``, with its options ``funcgraph-abstime``
            and ``funcgraph-proc``; other lines are passed over, and so are ends whose begin was lost.
        modules: the modules that were traced; else those that the trace names.
        lost: how many events the kernel says were lost.
    """
    reader = _Reader()
    for line in _lines(text):
        reader.take(line)
    calls = [call for _, call in sorted(reader.calls, key=lambda one: one[0])]
    named = tuple(modules) or tuple(dict.fromkeys(call.module for call in calls if call.module))
    return FunctionTrace(
        named,
        Rows(calls, caption="Calls", columns=FunctionCall.COLUMNS),
        lost,
        unfinished=sum(map(len, reader.stacks.values())),
    )


def _lines(text: str) -> Iterator[re.Match[str]]:
    for line in text.splitlines():
        found = _LINE.match(line)
        if found:
            yield found
