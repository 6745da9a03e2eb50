# SPDX-License-Identifier: MIT
"""What a trial brought to light, and the verdict on it, as frozen records.

Each piece of evidence has a source, since a module that was loaded can make the guest say anything:

- ``host``: QEMU's events, its threads' time on a processor, the guest's memory read from outside;
- ``console``: what the guest's kernel printed, kept by the host as it came; a module may print there too;
- ``guest``: what the agent in the guest answered;
- ``build``: what the compiler said, on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from kmodlab.build.diagnostics import Diagnostic
from kmodlab.errors import BuildError, ModuleLoadError
from kmodlab.machine.stall import Stall
from kmodlab.records.kmsg import KernelLog, KmsgRecord
from kmodlab.records.report import Report, Where
from kmodlab.records.taint import Taint

__all__ = ["ORDER", "Evidence", "ExecResult", "Finding", "Leak", "Source", "Step", "Verdict", "Word"]

Word = Literal["machine-lost", "build-error", "load-error", "hung", "oopsed", "leaked", "warned", "clean"]
Source = Literal["host", "console", "guest", "build"]

ORDER: tuple[Word, ...] = (
    "machine-lost",
    "build-error",
    "load-error",
    "hung",
    "oopsed",
    "leaked",
    "warned",
    "clean",
)
"""The verdicts, worst first. One holds; what else was found stands in its findings."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was being done to the module.

    Attributes:
        kind: ``load``, ``exec``, ``unload`` or ``after``.
        subject: the module, or the line.
    """

    kind: Literal["load", "exec", "unload", "after"]
    subject: str

    def __str__(self) -> str:
        words = {"load": "while {} was loaded", "exec": "while `{}` ran", "unload": "while {} was unloaded"}
        return words.get(self.kind, "after {} was unloaded").format(self.subject)


@dataclass(frozen=True, slots=True)
class ExecResult:
    """A line that was run in the guest while the module was loaded.

    Attributes:
        line: as given.
        exit_status: its status, minus the number of a signal; None if it did not end.
        output: both outputs, standard output first.
        seconds: how long it ran.
    """

    line: str
    exit_status: int | None
    output: str
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "line": self.line,
            "exit_status": self.exit_status,
            "output": self.output,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that the module left behind.

    Attributes:
        kind: ``kmalloc``, ``pages``, ``vmalloc`` … for memory, else ``proc``, ``device``, ``thread`` ….
        what: in words: ``64 B of kmalloc allocated in keep+0x1b [leaky]``.
        size: bytes; None for what is no memory.
        function: of the module, that asked for it; empty if unknown.
        where: the line that asked for it, or None.
    """

    kind: str
    what: str
    size: int | None = None
    function: str = ""
    where: Where | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "kind": self.kind,
            "what": self.what,
            "size": self.size,
            "function": self.function or None,
            "where": self.where.to_dict() if self.where else None,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was noticed.

    Attributes:
        kind: the verdict that it would be by itself, or ``exec-failed``, ``in-use``, ``distrust``,
            ``note``.
        title: in one line.
        explanation: what it means and what to try.
        where: the line of the module's source, or None.
        evidence: who says so.
        failing: whether it makes the exit status 1.
    """

    kind: str
    title: str
    explanation: str = ""
    where: Where | None = None
    evidence: Source = "guest"
    failing: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "kind": self.kind,
            "title": self.title,
            "explanation": self.explanation,
            "where": self.where.to_dict() if self.where else None,
            "evidence": self.evidence,
            "failing": self.failing,
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a trial brought to light; what did not happen is left at its default.

    Attributes:
        modules: names, in the order of loading.
        kernel: the release.
        lost: why the lab or the host failed.
        build_error, load_error: what was refused.
        diagnostics: warnings of the build.
        stall, stalled: a task that never ended, and the step it was in.
        stall_report: where it hangs, as a report of kind ``hang``.
        ended: how the guest's kernel went away, by QEMU's events: ``panic``, ``reset`` or empty.
        reports: of the kernel, from the console.
        taint: flags that have come, ``out-of-tree`` and ``unsigned-module`` left out; from outside where possible.
        taint_source: who says so.
        leaks: what the module left behind.
        execs: the lines that were run.
        notes: what else was noticed.
        log: the kernel's log.
        seconds: what took how long.
    """

    modules: tuple[str, ...]
    kernel: str
    lost: str = ""
    build_error: BuildError | None = None
    load_error: ModuleLoadError | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    stall: Stall | None = None
    stalled: Step | None = None
    stall_report: Report | None = None
    ended: str = ""
    reports: tuple[Report, ...] = ()
    taint: Taint = field(default_factory=Taint)
    taint_source: Source = "guest"
    leaks: tuple[Leak, ...] = ()
    execs: tuple[ExecResult, ...] = ()
    notes: tuple[Finding, ...] = ()
    log: tuple[KmsgRecord, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of trying a module. It shows itself in a terminal and in a notebook.

    Attributes:
        verdict: one of `ORDER`.
        module: the module, or the folder's name if there are several.
        modules: their names, in the order of loading.
        kernel: the release.
        title: what happened, in one line.
        where: the line of the module's own source that is to blame; None if there is none.
        explanation: what such a thing usually means and what to try.
        findings: what else was noticed.
        reports: what the kernel reported, from its console; a hang as a report of kind ``hang``.
        exec: the lines that were run.
        leaks: what the module left behind.
        log: the kernel's log while the module was there.
        seconds: ``build``, ``machine``, ``load``, ``total`` ….
        diagnostics: what the compiler said.
        evidence: who says so.
        step: what was being done when it happened; None if that is not known.
    """

    verdict: Word
    module: str
    modules: tuple[str, ...]
    kernel: str
    title: str
    where: Where | None
    explanation: str
    findings: tuple[Finding, ...] = ()
    reports: tuple[Report, ...] = ()
    exec: tuple[ExecResult, ...] = ()
    leaks: tuple[Leak, ...] = ()
    log: KernelLog = field(default_factory=KernelLog)
    seconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    diagnostics: tuple[Diagnostic, ...] = ()
    evidence: Source = "guest"
    step: Step | None = None

    @property
    def ok(self) -> bool:
        """Whether the verdict is clean and nothing else failed."""
        return self.exit_status == 0

    @property
    def exit_status(self) -> int:
        """What the command line ends with: 0, 1, or 3 if the lab itself failed."""
        if self.verdict == "machine-lost":
            return 3
        return int(self.verdict != "clean" or any(finding.failing for finding in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as ``--json`` prints it."""
        return {
            "verdict": self.verdict,
            "module": self.module,
            "modules": list(self.modules),
            "kernel": self.kernel,
            "title": self.title,
            "where": self.where.to_dict() if self.where else None,
            "explanation": self.explanation,
            "findings": [finding.to_dict() for finding in self.findings],
            "reports": [report.to_dict() for report in self.reports],
            "log": [str(record) for record in self.log],
            "exec": [one.to_dict() for one in self.exec],
            "leaks": [leak.to_dict() for leak in self.leaks],
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "diagnostics": [one.to_dict() for one in self.diagnostics],
            "evidence": self.evidence,
        }

    def __str__(self) -> str:
        """Return the verdict for a terminal."""
        from kmodlab.verdict.view import text

        return text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the verdict for a notebook."""
        from kmodlab.verdict.view import html

        return html(self)
