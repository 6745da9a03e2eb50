# SPDX-License-Identifier: MIT
"""Which line of an answer it was: that hangs, that allocated what was never freed."""

from __future__ import annotations

import contextlib

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.lines import ModuleCode, with_lines
from kmodlab.errors import HostSetupError, RecordParseError, SandboxError
from kmodlab.machine.stall import Stall, hang_report
from kmodlab.records.ledger import Allocation
from kmodlab.records.report import Report
from kmodlab.records.report.record import Frame
from kmodlab.records.table import format_bytes

__all__ = ["leak_words", "stall_place"]


def _place(trace: tuple[Frame, ...], built: ModuleArtifact) -> str:
    """The first line of the module's own in a trace as ``slate.c:31``, or an empty text."""
    # The sentence is worth having without its line.
    with contextlib.suppress(RecordParseError, SandboxError, HostSetupError, OSError):
        frame = next((frame for frame in trace if frame.module == built.name), None)
        if frame is not None:
            blank = Report("place", "", frame.function, built.name, trace=trace)
            where = with_lines([blank], [ModuleCode.from_artifact(built)])[0].where
            return f"{where.file}:{where.line}" if where else ""
    return ""


def stall_place(stall: Stall, built: ModuleArtifact) -> str:
    """Return the line at which a task hangs, such as ``slate.c:31``, or an empty text."""
    where = hang_report(stall, [ModuleCode.from_artifact(built)]).where
    return f"{where.file}:{where.line}" if where else ""


def leak_words(one: Allocation, built: ModuleArtifact) -> str:
    """Return what was never freed, in words: ``512 B of kmalloc, allocated at unwind.c:37 (unwind_init)``."""
    frame = Frame(one.site.function, one.site.offset, module=one.site.module)
    place = _place((frame,), built)
    at = f"at {place} ({one.site.function})" if place else f"in {one.site.function}()"
    return f"{format_bytes(one.size)} of {one.kind}, allocated {at}"
