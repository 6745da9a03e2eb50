# SPDX-License-Identifier: MIT
"""Checking a module from all sides: more warnings, other tools, loading again and again, absurd values."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.build import build
from kmodlab.build.diagnostics import Diagnostic, as_seen
from kmodlab.build.kbuild import kbuild
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.config import settings
from kmodlab.errors import BuildError, HostSetupError, SandboxError
from kmodlab.host.kernels import ensure_kernel
from kmodlab.verdict.judge import judge
from kmodlab.verdict.places import load_order
from kmodlab.verdict.probe import Absurd, InUse
from kmodlab.verdict.record import ORDER, Evidence, Finding, Verdict, Word
from kmodlab.verdict.script import Wishes
from kmodlab.verdict.style import checkpatch
from kmodlab.verdict.trial import try_artifact

__all__ = ["Check", "Checked", "check_module"]

ROUNDS = 5
_SHOWN = 10  # complaints of one kind, on a terminal
_TOLD = {"leaks": "leaked", "trust": "distrust", "kernel-log": "warned"}
_INJECTION = ("CONFIG_FAULT_INJECTION", "CONFIG_FAILSLAB", "CONFIG_FAULT_INJECTION_DEBUG_FS")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        passed: how it came out.
        message: what was found, in words.
        file, line: where in the source; empty and None where it is about no line.
        kernel: the release that it was done with.
    """

    name: str
    passed: bool
    message: str = ""
    file: str = ""
    line: int | None = None
    kernel: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**dataclasses.asdict(self), "file": self.file or None}


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking a module.

    Attributes:
        module: its name, or the folder's.
        verdict: the worst of all trials with all kernels.
        checks: what was looked at, in order.
        not_run: what could not be looked at here, and why, by name.
        verdicts: the verdict of loading it again and again, by kernel.
        seconds: how long all of it took.
    """

    module: str
    verdict: Word
    checks: tuple[Check, ...]
    not_run: tuple[tuple[str, str], ...]
    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def exit_status(self) -> int:
        """What the command line ends with: 0, 1, or 3 if the lab itself failed."""
        if self.verdict == "machine-lost":
            return 3
        return int(self.verdict != "clean" or not all(check.passed for check in self.checks))

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {
            "verdict": self.verdict,
            "module": self.module,
            "checks": [check.to_dict() for check in self.checks],
            "not_run": [{"name": name, "message": why} for name, why in self.not_run],
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        """Return it for a terminal: one line a check, the verdict in full where it is not clean."""
        several = len({check.kernel for check in self.checks}) > 1
        kinds: dict[tuple[str, str], list[Check]] = {}
        for check in self.checks:
            kinds.setdefault((check.name, f" ({check.kernel})" if several else ""), []).append(check)
        lines = [line for (name, kernel), checks in kinds.items() for line in _lines(f"{name}{kernel}", checks)]
        lines += [f"-      {name}: not run: {why}" for name, why in self.not_run]
        lines += [f"\n{verdict}" for verdict in self.verdicts if verdict.verdict != "clean"]
        failed = sum(not all(check.passed for check in checks) for checks in kinds.values())
        end = f"{failed} of {len(kinds)} checks failed" if failed else f"all {len(kinds)} checks passed"
        return "\n".join([*lines, f"\n{self.module}: {self.verdict}; {end} in {self.seconds:.0f} s"])


def _lines(name: str, checks: Sequence[Check]) -> Iterator[str]:
    """What one check found, for a terminal; of a great many complaints the first."""
    for check in checks[:_SHOWN]:
        place = f"{check.file}:{check.line}: " if check.line else ""
        yield f"{'ok    ' if check.passed else 'FAILED'} {name}: {place}{check.message}"
    if len(checks) > _SHOWN:
        yield f"       {name}: and {len(checks) - _SHOWN} more; --json lists them all"


class _Report:
    """Gathers checks of one kernel."""

    def __init__(self, kernel: str) -> None:
        self.kernel = kernel
        self.checks: list[Check] = []
        self.not_run: dict[str, str] = {}
        self.worst: Word = "clean"
        self.verdict: Verdict | None = None

    def add(self, name: str, passed: bool, message: str = "", file: str = "", line: int | None = None) -> None:
        self.checks.append(Check(name, passed, message, file, line, self.kernel))

    def diagnostics(self, name: str, found: Sequence[Diagnostic], clean: str) -> None:
        """One check for each complaint of a tool, or one that says that there is none."""
        for one in found:
            option = f" [{one.option}]" if one.option else ""
            self.add(name, False, f"{one.message}{option}", one.file, one.line)
        if not found:
            self.add(name, True, clean)

    def note(self, word: Word) -> None:
        self.worst = min(self.worst, word, key=ORDER.index)


def check_module(
    source: ModuleSource | str | Path,
    kernels: Iterable[KernelBuild | str | None] = (),
    *,
    timeout: float = 10.0,
    watch: Callable[[str], object] | None = None,
) -> Checked:
    """Check a module from all sides and return what came of it; ``docs/interfaces.md`` lists the checks.

    Args:
        source: its source, a ``.c`` file, or a folder whose Kbuild sets ``obj-m``.
        kernels: kernels or their releases; the lab's default one if there are none.
        timeout: seconds that each step in a machine may take.
        watch: called with a few words before each step, for progress.

    Raises:
        UsageError: there is no module there, or no such kernel.
        HostSetupError: what is needed is not there.
    """
    start = time.monotonic()
    code = source if isinstance(source, ModuleSource) else ModuleSource.from_path(source)
    note = watch or (lambda words: None)
    reports = []
    for wanted in tuple(kernels) or (None,):
        kernel = wanted if isinstance(wanted, KernelBuild) else ensure_kernel(wanted)
        reports.append(_check(code, kernel, timeout, note))
    return Checked(
        code.name,
        min((report.worst for report in reports), key=ORDER.index),
        tuple(check for report in reports for check in report.checks),
        tuple({pair: None for report in reports for pair in report.not_run.items()}),
        tuple(report.verdict for report in reports if report.verdict),
        time.monotonic() - start,
    )


def _check(code: ModuleSource, kernel: KernelBuild, timeout: float, note: Callable[[str], object]) -> _Report:
    report = _Report(kernel.release)
    note(f"Building {code.name} for Linux {kernel.release}")
    try:
        built = build(code, kernel)
    except BuildError as error:
        if isinstance(error, SandboxError) and "stopped" not in str(error):
            raise
        report.verdict = judge(code.name, Evidence(code.modules, kernel.release, build_error=error))
        report.note("build-error")
        where = report.verdict.where
        report.add("build", False, report.verdict.title, *((where.file, where.line) if where else ()))
        return report
    report.add("build", True, f"built in {built.seconds:.1f} s" if built.how != "cache" else "built before")
    _look_at_source(code, kernel, report, note)
    modules = load_order((built, *built.others))
    _cycles(built, kernel, timeout, report, note)
    if report.verdict is None or report.verdict.verdict in {"clean", "warned", "leaked"}:
        _absurd(modules, kernel, timeout, report, note)
        _in_use(modules, kernel, timeout, report, note)
    _faults(kernel, report)
    return report


# -- The source -------------------------------------------------------------------------------------------------------


def _look_at_source(code: ModuleSource, kernel: KernelBuild, report: _Report, note: Callable[[str], object]) -> None:
    note("Compiling it with more warnings")
    warnings = _make(code, kernel, ("W=1",))
    report.diagnostics("warnings", warnings, "none at W=1")
    if Path("/usr/bin/sparse").exists():
        note("Reading it with sparse")
        found = _make(code, kernel, ("C=2", "CHECK=sparse", "CF=-Wbitwise -Wcontext"))
        known = {(one.file, one.line, one.message) for one in warnings}
        fresh = [one for one in found if (one.file, one.line, one.message) not in known]
        report.diagnostics("sparse", fresh, "no complaint")
    else:
        report.not_run["sparse"] = "it is not installed here: apt-get install sparse"
    note("Reading it with checkpatch")
    try:
        report.diagnostics("checkpatch", checkpatch(code, kernel), "no complaint")
    except (HostSetupError, SandboxError) as error:
        report.not_run["checkpatch"] = str(error).partition(": ")[2] or str(error)


def _make(code: ModuleSource, kernel: KernelBuild, variables: tuple[str, ...]) -> list[Diagnostic]:
    """What the tools say with these variables of kbuild, notes left out, each once."""
    made = kbuild(code, kernel, timeout=settings().build_timeout, variables=variables)
    found = (one for one in as_seen(made.diagnostics, code) if one.severity != "note")
    return list({(one.file, one.line, one.message): one for one in found}.values())


# -- The machine ------------------------------------------------------------------------------------------------------


def _cycles(
    built: ModuleArtifact, kernel: KernelBuild, timeout: float, report: _Report, note: Callable[[str], object]
) -> None:
    verdict = try_artifact(built, None, kernel, Wishes(timeout=timeout, rounds=ROUNDS), note=note)
    report.verdict = verdict
    report.note(verdict.verdict)
    where = (verdict.where.file, verdict.where.line) if verdict.where else ()
    if verdict.verdict not in {"clean", "leaked", "warned"}:
        report.add("load-unload", False, f"{verdict.verdict}: {verdict.title}", *where)
        for name, kind in _TOLD.items():
            _told(report, name, verdict, kind)
        return
    stuck = [finding for finding in verdict.findings if finding.kind == "in-use"]
    words = stuck[0].title if stuck else f"{ROUNDS} times, and the kernel stayed whole"
    report.add("load-unload", not stuck, words)
    _told(report, "leaks", verdict, _TOLD["leaks"], "none: all that it allocated was freed")
    _told(report, "trust", verdict, _TOLD["trust"], "what the guest says goes with what the host sees")
    clean = "nothing reported, no taint beyond that of any own module"
    _told(report, "kernel-log", verdict, _TOLD["kernel-log"], clean)


def _told(report: _Report, name: str, verdict: Verdict, kind: str, clean: str = "") -> None:
    """A failed check for each finding of a kind, once for all rounds; a passed one in these words if there is none."""
    main = Finding(verdict.verdict, verdict.title, where=verdict.where)
    found = {(one.title, one.where): one for one in (main, *verdict.findings) if one.kind == kind}
    for title, where in found:
        report.add(name, False, title, where.file if where else "", where.line if where else None)
    if clean and not found:
        report.add(name, True, clean)


def _absurd(
    modules: Sequence[ModuleArtifact],
    kernel: KernelBuild,
    timeout: float,
    report: _Report,
    note: Callable[[str], object],
) -> None:
    probe = Absurd(modules, {}, kernel, Wishes(timeout=timeout, ledger=False), note)
    if not probe.values:
        report.not_run["parameters"] = "it has none"
        return
    verdict = judge(modules[0].source.name, probe.run())
    report.note(verdict.verdict)
    where = (verdict.where.file, verdict.where.line) if verdict.where else ()
    if verdict.verdict in {"clean", "load-error"}:
        report.add("parameters", True, f"{probe.tried} absurd values, {probe.refused} of them refused")
    else:
        report.add("parameters", False, f"with {probe.now}: {verdict.verdict}: {verdict.title}", *where)
        return
    if probe.refused:
        words = "works after each refused value" if not probe.broken else f"fails after {probe.broken} was refused"
        report.add("reload-after-failure", not probe.broken, words)
    else:
        report.not_run["reload-after-failure"] = "no value made its init fail"


def _in_use(
    modules: Sequence[ModuleArtifact],
    kernel: KernelBuild,
    timeout: float,
    report: _Report,
    note: Callable[[str], object],
) -> None:
    probe = InUse(modules, {}, kernel, Wishes(timeout=timeout, ledger=False), note)
    verdict = judge(modules[0].source.name, probe.run())
    report.note(verdict.verdict)
    if not probe.node:
        report.not_run["unload-in-use"] = "it makes no file in /dev that could be held open"
        return
    where = (verdict.where.file, verdict.where.line) if verdict.where else ()
    if probe.gave_way:
        after = f", then: {verdict.title}" if verdict.verdict != "clean" else ""
        words = f"unloaded while {probe.node} was open: set .owner = THIS_MODULE in its file_operations{after}"
        report.add("unload-in-use", False, words, *where)
    elif verdict.verdict != "clean":
        report.add("unload-in-use", False, f"{verdict.verdict}: {verdict.title}", *where)
    else:
        report.add("unload-in-use", True, f"refused while {probe.node} was open, done afterwards")


def _faults(kernel: KernelBuild, report: _Report) -> None:
    """Say why no allocation is made to fail: what of it this kernel was built without."""
    text = ""
    with contextlib.suppress(OSError):
        text = kernel.config.read_text()
    missing = [option for option in _INJECTION if f"\n{option}=y\n" not in f"\n{text}\n"]
    if missing:
        why = f"{kernel.release} is built without {', '.join(missing)}, so no allocation can be made to fail"
    else:
        why = "this kernel offers it, kmodlab does not use it yet"
    report.not_run["fault-injection"] = why
