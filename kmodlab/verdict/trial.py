# SPDX-License-Identifier: MIT
"""Trying a module: build it, load it into a fresh machine, use it, unload it, and say what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.errors import BuildError, KmodlabError, SandboxError, UsageError
from kmodlab.host.kernels import ensure_kernel
from kmodlab.machine import refusals
from kmodlab.machine.pool import ahead
from kmodlab.verdict.judge import judge, stands_for
from kmodlab.verdict.places import load_order
from kmodlab.verdict.record import Evidence, Verdict
from kmodlab.verdict.script import Script, Wishes

__all__ = ["Parameter", "try_artifact", "try_module"]

Parameter = refusals.Parameter


def try_module(
    source: ModuleSource | str | Path,
    parameters: Mapping[str, Parameter] | None = None,
    exec: Sequence[str] = (),
    kernel: KernelBuild | str | None = None,
    *,
    timeout: float = 10.0,
    memory: int | None = None,
    cpus: int | None = None,
    ledger: bool = True,
    watch: Callable[[str], object] | None = None,
) -> Verdict:
    """Build a module, load it into a fresh machine, run lines there, unload it, and return the verdict.

    Several modules of one folder are loaded in the order in which they lean on each other, and unloaded in reverse.
    Whatever the module does, this returns; only what the caller asked for wrongly raises.

    Args:
        source: its source, a ``.c`` file, or a folder whose Kbuild sets ``obj-m``.
        parameters: of the module; ``module.name`` where several have one of the same name.
        exec: lines for the guest's bash, run one after another while the module is loaded.
        kernel: a kernel or its release; the lab's default one if None.
        timeout: seconds that each step (loading, a line, unloading) may take until it counts as hung, the search for
            the place included. They are seconds in which the machine could run: a busy host lengthens them.
        memory, cpus: of the machine; None means the setting.
        ledger: keep account of what the module allocates, to find leaks.
        watch: called with a few words before each step, for progress.

    Raises:
        UsageError: there is no module there, no such kernel, or the module has no such parameter.
    """
    start = time.monotonic()
    code = source if isinstance(source, ModuleSource) else ModuleSource.from_path(source)
    release = kernel.release if isinstance(kernel, KernelBuild) else kernel or ""
    note = watch or (lambda words: None)
    seconds: dict[str, float] = {}
    try:
        chosen = kernel if isinstance(kernel, KernelBuild) else ensure_kernel(kernel)
    except UsageError:
        raise
    except KmodlabError as error:
        return judge(code.name, _not_built(code, release, error, {"total": time.monotonic() - start}))
    note(f"Building {code.name} for Linux {chosen.release}")
    with ahead(chosen, memory, cpus):
        try:
            with _timed(seconds, "build"):
                built = build(code, chosen)
        except UsageError:
            raise
        except KmodlabError as error:
            seconds["total"] = time.monotonic() - start
            return judge(code.name, _not_built(code, chosen.release, error, seconds))
        wishes = Wishes(tuple(exec), timeout, memory, cpus, ledger)
        return try_artifact(built, parameters, chosen, wishes, seconds=seconds, start=start, note=note)


def try_artifact(
    built: ModuleArtifact,
    parameters: Mapping[str, Parameter] | None,
    kernel: KernelBuild,
    wishes: Wishes,
    *,
    seconds: Mapping[str, float] = MappingProxyType({}),
    start: float | None = None,
    note: Callable[[str], object] = lambda words: None,
) -> Verdict:
    """Return the verdict on a module that was built; see `try_module`."""
    begin = time.monotonic() if start is None else start
    modules = load_order((built, *built.others))
    lines = parameter_lines(modules, parameters or {})
    evidence = _tried(modules, lines, kernel, wishes, note)
    took = {**seconds, **evidence.seconds, "total": time.monotonic() - begin}
    shown = dataclasses.replace(evidence, diagnostics=built.diagnostics, seconds=took)
    return judge(built.source.name, shown)


def _tried(
    modules: Sequence[ModuleArtifact],
    parameters: Mapping[str, str],
    kernel: KernelBuild,
    wishes: Wishes,
    note: Callable[[str], object],
) -> Evidence:
    """Go through the script; once more in a fresh machine where the host may be to blame for what came of it."""
    script = Script(modules, parameters, kernel, wishes, note)
    evidence = script.run()
    if _host_may_be_to_blame(script, evidence):
        note("The host was too busy to tell: once more in a fresh machine")
        script = Script(modules, parameters, kernel, wishes, note)
        evidence = script.run()
    return evidence


def _host_may_be_to_blame(script: Script, evidence: Evidence) -> bool:
    if evidence.lost:
        return script.lost_by in {"starved", "start"}
    late = evidence.stall is not None or any(one.exit_status is None for one in evidence.execs)
    lockups = any(stands_for(report) == "hung" for report in evidence.reports)
    return script.starved and not script.certain and (late or lockups)


def _not_built(code: ModuleSource, release: str, error: KmodlabError, seconds: Mapping[str, float]) -> Evidence:
    fault = isinstance(error, BuildError) and not isinstance(error, SandboxError)
    # The sandbox stops what goes over a limit; that it cannot be entered at all is the host's fault.
    fault = fault or (isinstance(error, SandboxError) and "stopped" in str(error))
    facts = Evidence(code.modules, release, seconds=dict(seconds))
    if fault and isinstance(error, BuildError):
        return dataclasses.replace(facts, build_error=error, diagnostics=tuple(error.diagnostics))
    return dataclasses.replace(facts, lost=str(error))


def parameter_lines(modules: Sequence[ModuleArtifact], parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """Return the line of parameters of each module that gets one.

    Raises:
        UsageError: no module has such a parameter.
    """
    chosen: dict[str, dict[str, Parameter]] = {module.name: {} for module in modules}
    for name, value in parameters.items():
        owner, dot, own = name.partition(".")
        if dot:
            takers = [module for module in modules if module.name == owner]
        else:
            takers = [module for module in modules if _has(module, name)]
        # The first module's refusal says which parameters there are.
        for module in takers or modules[:1]:
            chosen[module.name][own if dot and takers else name] = value
    by_name = {module.name: module for module in modules}
    return {
        name: refusals.parameter_line(name, by_name[name].file, wanted) for name, wanted in chosen.items() if wanted
    }


def _has(module: ModuleArtifact, parameter: str) -> bool:
    return any(key in {"parm", "parmtype"} and text.partition(":")[0] == parameter for key, text in module.file.modinfo)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.monotonic() - start
