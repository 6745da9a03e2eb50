# SPDX-License-Identifier: MIT
"""What is gathered of evidence in one machine: from its log, its memory, the ledger and what the guest shows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.lines import ModuleCode
from kmodlab.errors import KmodlabError, MachineError, MachineLost, ModuleLoadError
from kmodlab.machine import ledger
from kmodlab.machine.emulator import lost_error
from kmodlab.machine.leftovers import leftovers
from kmodlab.machine.machine import Machine
from kmodlab.machine.stall import Stall, hang_report
from kmodlab.machine.trust import settled
from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.ledger import Ledger
from kmodlab.records.leftovers import Surroundings
from kmodlab.records.taint import Taint
from kmodlab.verdict.places import leaks_of, reports_in
from kmodlab.verdict.record import Evidence, ExecResult, Finding, Leak, Source, Step

__all__ = ["Gathering"]


class Gathering:
    """The evidence of one trial while it is gathered; whoever takes the machine through it adds to it.

    Attributes:
        starved: the host kept the machine from running for so long that hangs and lockups may be its fault.
        lost_by: how the machine was lost, if not through the module: ``killed``, ``starved``, ``start``; else empty.
    """

    def __init__(self, modules: Sequence[ModuleArtifact], kernel: KernelBuild) -> None:
        self._modules, self._kernel = tuple(modules), kernel
        self._names = tuple(module.name for module in modules)
        self._execs: list[ExecResult] = []
        self._notes: list[Finding] = []
        self._leaks: list[Leak] = []
        self._seconds: dict[str, float] = {}
        self._taint: tuple[Taint, Source] = (Taint(), "guest")
        self._load_error: ModuleLoadError | None = None
        self._stall: tuple[Stall, Step] | None = None
        self._log_end: int | None = None
        self._ended = self._lost = ""
        self.starved = False
        self.lost_by = ""

    @contextlib.contextmanager
    def _account(self, vm: Machine) -> Iterator[None]:
        """Keep the ledger, if this kernel can."""
        try:
            with self._timed("ledger"):
                watcher = ledger.watch(vm, *self._modules, tidy=False).start()
        except MachineLost:
            raise
        except MachineError as error:
            self._notes.append(Finding("note", f"no account of allocations: {error}", failing=False))
            yield
            return
        yield
        with self._timed("ledger"):
            self._close(watcher.finish())

    def _close(self, book: Ledger) -> None:
        self._notes += [Finding("note", f"the ledger may not be exact: {why}", failing=False) for why in book.doubts]
        if not book.loaded:
            self._leaks += leaks_of(book.live, self._modules)

    def _look_from_outside(self, vm: Machine) -> None:
        """Read the kernel's taint in the machine's memory, so that nobody in the guest is asked."""
        if self._taint[1] == "guest":
            with contextlib.suppress(KmodlabError, TimeoutError):
                self._taint = (settled(vm).taint, "host")

    def _compare_witnesses(self, vm: Machine) -> None:
        """Note where what the guest says does not go with what the host knows and sees by itself."""
        self._log_end = len(vm.dmesg())  # what is looked at from now on may write to the log
        self._look_from_outside(vm)
        for one in vm.suspicions():
            words = "The module, or what it did, makes the guest say what is not so; its verdict rests on the rest."
            self._notes.append(Finding("distrust", one.text, words, evidence="host"))

    def _look_for_leftovers(self, vm: Machine, before: Surroundings) -> None:
        # What was left may lie in the module's own memory, which is gone: then looking at it makes the kernel fault.
        with self._timed("ledger"):
            self._leaks += [Leak(one.kind, one.sentence) for one in leftovers(vm, before)]

    def _machine_is_gone(self, vm: Machine, lost: MachineLost) -> None:
        how = vm._emulator.lost if vm._emulator else "killed"
        if how == "panic":
            self._ended = "panic"
        elif how == "ended":
            self._ended = "reset"
        elif how is None and lost.reason != "starved":
            self._ended = "agent"
        else:
            self.lost_by = "starved" if how is None else how
            error = lost if how is None else lost_error(how)
            self._lost = f"the machine was lost: {str(error).partition(';')[0].partition(': ')[2]}"

    def _evidence(self, log: tuple[KmsgRecord, ...], judged: tuple[KmsgRecord, ...]) -> Evidence:
        stall, step = self._stall or (None, None)
        return Evidence(
            modules=self._names,
            kernel=self._kernel.release,
            lost=self._lost,
            load_error=self._load_error,
            stall=stall,
            stalled=step,
            stall_report=hang_report(stall, map(ModuleCode.from_artifact, self._modules)) if stall else None,
            ended=self._ended,
            reports=reports_in(judged, self._modules),
            taint=self._taint[0].beyond_expected,
            taint_source=self._taint[1],
            leaks=tuple(self._leaks),
            execs=tuple(self._execs),
            notes=tuple(self._notes),
            log=log,
            seconds=dict(self._seconds),
        )

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - start
