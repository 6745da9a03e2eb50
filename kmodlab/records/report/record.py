# SPDX-License-Identifier: MIT
"""A fault that the kernel reported, as a frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kmodlab.records.explanations import explanation
from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.table import Column

__all__ = ["Frame", "Related", "Report", "Where"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a call trace.

    Attributes:
        function: as the kernel prints it, with a suffix such as ``.isra.0`` or ``.cold``.
        offset: bytes from the function's start; None where the log does not say it.
        size: bytes of the function, as the kernel counts them; None where the log does not say it.
        module: the module it belongs to; empty for the kernel itself.
        file: of the source, where it is known, else empty.
        line: in that file, from 1; None where it is not known.
        inline: true if the function is inlined into that of the next frame.
        exact: true if ``offset`` is that of the instruction itself (``RIP``, ``pc``); false if it is where a call
            returns to, which is the instruction *after* the call.
        reliable: false for a frame that the kernel marks with ``?``: an address that was found on the stack.
        context: ``IRQ``, ``SOFTIRQ``, ``NMI`` … where the trace says that, else empty.
    """

    function: str
    offset: int | None = None
    size: int | None = None
    module: str = ""
    file: str = ""
    line: int | None = None
    inline: bool = False
    exact: bool = False
    reliable: bool = True
    context: str = ""

    def __str__(self) -> str:
        """Return the frame as a line of a trace."""
        place = f"+0x{self.offset:x}" if self.offset is not None else ""
        module = f" [{self.module}]" if self.module else ""
        source = f" {self.file}:{self.line}" if self.file and self.line else ""
        return f"{self.function}{place}{module}{source}{' [inline]' if self.inline else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Return the frame for JSON."""
        return {
            "function": self.function,
            "offset": self.offset,
            "module": self.module or None,
            "file": self.file or None,
            "line": self.line,
            "inline": self.inline,
        }


@dataclass(frozen=True, slots=True)
class Where:
    """The line of the module's own source that is to blame.

    Attributes:
        file: its path in the module's folder.
        line: from 1.
        function: that this line belongs to; an inline function where it is one.
        source: the line's text; empty if the source is not at hand.
        around: pairs (line, text) of the line and up to three before and after it.
    """

    file: str
    line: int
    function: str
    source: str = ""
    around: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"

    def to_dict(self) -> dict[str, Any]:
        """Return the place for JSON."""
        return {"file": self.file, "line": self.line, "function": self.function, "source": self.source}


@dataclass(frozen=True, slots=True)
class Related:
    """A further trace of a report: where the memory was allocated or freed, the other party of a data race.

    Attributes:
        title: the kernel's words: ``Freed by task 139``.
        trace: its frames.
    """

    title: str
    trace: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A fault that the kernel reported.

    Attributes:
        kind: a word for programs, such as ``null-dereference``, ``warning``, ``kasan-use-after-free``, ``deadlock``.
        title: the fault and the function, worded as kernel triage words it.
        function: the one to blame: the first of the module's own in the trace, else the first of the kernel's that
            is not part of the reporting itself; empty if there is none.
        module: the module of that function; empty for the kernel.
        where: the line of the module's source to blame; None where there is none, or none known yet.
        access: ``read``, ``write``, ``execute`` or ``free``; empty where the report is not about memory.
        address: that was accessed, or None.
        taint: the letters that the report shows, such as ``OE``.
        trace: innermost frame first.
        lines: the first and the last line of the report in its log, from 1.
        records: the report's lines.
        related: further traces.
        task: name and number of the task: ``insmod/137``; empty where the report does not say it.
        oops: true if it is an oops or a BUG, which ends the task, or a panic; false if the kernel went on.
        deadly: true if it ended in a panic.
        complete: false if what the kernel prints after the first line is missing: the log is cut, or these are
            only a module's own words.
    """

    kind: str
    title: str
    function: str = ""
    module: str = ""
    where: Where | None = None
    access: str = ""
    address: int | None = None
    taint: str = ""
    trace: tuple[Frame, ...] = ()
    lines: tuple[int, int] = (0, 0)
    records: tuple[KmsgRecord, ...] = ()
    related: tuple[Related, ...] = ()
    task: str = ""
    oops: bool = False
    deadly: bool = False
    complete: bool = True

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("title", "report"),
        Column("where"),
        Column("module"),
        Column("lines", "lines of the log"),
    )

    @property
    def explanation(self) -> str:
        """What such a fault usually means and what to try, in plain words."""
        return explanation(self.kind)

    @property
    def tone(self) -> str:
        """The colour of the report in a table."""
        return "bad" if self.oops else "warn"

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON, with absent values as null."""
        return {
            "kind": self.kind,
            "title": self.title,
            "function": self.function or None,
            "module": self.module or None,
            "where": self.where.to_dict() if self.where else None,
            "access": self.access or None,
            "taint": self.taint,
            "trace": [frame.to_dict() for frame in self.trace],
            "lines": list(self.lines),
        }

    def __str__(self) -> str:
        """Return the report for a terminal."""
        from kmodlab.records.report.display import text

        return text(self)

    def _repr_html_(self) -> str:
        """Return the report for a notebook."""
        from kmodlab.records.report.display import html

        return html(self)
