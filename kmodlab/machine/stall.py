# SPDX-License-Identifier: MIT
"""What hangs, where, and what such a hang usually means: pure, from what `kmodlab.machine.hang` has found."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kmodlab.build.lines import ModuleCode, with_lines
from kmodlab.errors import HostSetupError, KernelHang, RecordParseError, SandboxError
from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.report import Report
from kmodlab.records.report.frames import bare_name
from kmodlab.records.report.record import Frame

__all__ = ["HANG_LIMIT", "Manner", "Stall", "hang_error", "hang_report", "manner_of"]

HANG_LIMIT = 10.0
"""Seconds of the machine's own time in which loading or unloading a module has to end, unless said otherwise."""

_LOCKS = re.compile(r"(?:native_queued_spin_lock_slowpath|queued_\w+_lock_slowpath|_raw_(?:spin|read|write)_lock\w*)$")
_NOWHERE = 1 << 16

Manner = Literal["spinning", "sleeping", "silent"]


@dataclass(frozen=True, slots=True)
class Stall:
    """A task that did not end, and where it is.

    Attributes:
        manner: ``spinning`` on a processor, ``sleeping``, or ``silent``: the guest itself no longer answered.
        trace: innermost frame first; empty if the place could not be found.
        task: name and number, as ``insmod/137``; empty if unknown.
        interrupts_off: it spins with interrupts disabled.
        unkillable: not even SIGKILL ended it.
        answered: the guest could still tell; false means that it took an NMI to learn this.
        own: names of the modules whose frames count as the culprit's; if there are none, any module's do.
        log_end: the console's mark before the search, which writes to the log itself.
    """

    manner: Manner
    trace: tuple[Frame, ...] = ()
    task: str = ""
    interrupts_off: bool = False
    unkillable: bool = False
    answered: bool = True
    own: tuple[str, ...] = ()
    log_end: int = 0

    @property
    def depth(self) -> int:
        """How many frames of the kernel stand before the first of the modules' own; large if there is none."""
        found = (number for number, frame in enumerate(self.trace) if self._blamed(frame.module))
        return next(found, _NOWHERE)

    def _blamed(self, module: str) -> bool:
        return module in self.own if self.own else bool(module)

    @property
    def culprit(self) -> Frame | None:
        """The innermost frame of the modules' own."""
        return self.trace[self.depth] if self.depth < len(self.trace) else None

    @property
    def lock(self) -> bool:
        """Whether it waits for a spin lock rather than going round a loop of its own."""
        return self.manner != "sleeping" and any(_LOCKS.search(frame.function) for frame in self.trace[: self.depth])

    @property
    def waits_in(self) -> str:
        """The kernel's function that a sleeping task was sent into, such as ``wait_for_completion``."""
        inner = self.trace[: self.depth] if self.culprit else self.trace
        return inner[-1].function if inner and self.manner == "sleeping" else ""

    @property
    def fatal(self) -> bool:
        """Whether the machine is of no more use: something in its kernel will never end."""
        return self.unkillable or not self.answered


def manner_of(stall: Stall) -> tuple[str, str]:
    """Return what kind of hang it is, and what to look for, in plain words."""
    if stall.lock:
        return "deadlock on a spinlock", (
            "It waits for a spinlock that is never released: one that this same processor holds already, or that a "
            "path left locked. Take each lock once, and release it on every path."
        )
    if stall.manner == "spinning" and stall.interrupts_off:
        return "endless loop with interrupts off", (
            "The processor was running with interrupts off and heard nothing any more. Check what ends the loop, and "
            "keep parts with interrupts off short."
        )
    if stall.manner == "spinning":
        return "endless loop", (
            "It was running on a processor all the time. Check what ends the loop: a condition that never comes true, "
            "a counter that wraps, a list that leads back into itself."
        )
    if stall.manner == "sleeping":
        return "sleeping for ever", (
            "It waits for something that never comes: a completion, an event, a mutex that somebody holds, a thread "
            "that does not end. Look at what that line waits for, and who should provide it."
        )
    return "the machine no longer answers", (
        "Not even an NMI, sent from outside, could show what it is at. Look for loops with interrupts off, and for "
        "memory that was overwritten."
    )


def hang_report(stall: Stall, codes: Iterable[ModuleCode]) -> Report:
    """Return a hang as a report of kind ``hang``: its title, and the line of the modules' source where there is one."""
    culprit = stall.culprit
    function = bare_name(culprit.function) if culprit else ""
    blank = Report("place", "", function, culprit.module if culprit else "", trace=stall.trace)
    place = blank
    # What hangs is worth knowing without its line.
    with contextlib.suppress(RecordParseError, SandboxError, HostSetupError, OSError):
        place = with_lines([blank], list(codes))[0]
    return replace(place, kind="hang", title=_title(stall, place), task=stall.task)


def hang_error(
    what: str,
    stall: Stall,
    codes: Iterable[ModuleCode],
    seconds: float,
    printed: tuple[bytes, bytes],
    records: Sequence[KmsgRecord],
) -> KernelHang:
    """Return the error for what did not end.

    Args:
        what: was done, such as ``insmod loopy.ko``.
        stall: where it hangs.
        codes: of the modules, for the line.
        seconds: the limit.
        printed: standard output and standard error until then.
        records: what the kernel had logged.
    """
    report = hang_report(stall, codes)
    place = f" at {report.where.file}:{report.where.line}" if report.where else ""
    fate = "The task could be killed, so the machine goes on."
    if stall.fatal:
        fate = "The machine is lost: vm.reset() gives a fresh one."
    stdout, stderr = (text.decode(errors="replace") for text in printed)
    return KernelHang(
        f"{what}: {report.title}{place}, not done after {seconds:g} s (ETIMEDOUT); {manner_of(stall)[1]} {fate}",
        title=report.title,
        report=report,
        seconds=seconds,
        stuck=stall.fatal,
        stdout=stdout,
        stderr=stderr,
        records=records,
    )


def _title(stall: Stall, place: Report) -> str:
    inner = stall.culprit or (stall.trace[0] if stall.trace else None)
    function = place.where.function if place.where else inner.function if inner else ""
    manner, _ = manner_of(stall)
    return f"{manner} in {function}" if function else manner
