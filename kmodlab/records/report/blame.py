# SPDX-License-Identifier: MIT
"""Which function of a trace is to blame."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from kmodlab.records.report.form import Search
from kmodlab.records.report.frames import bare_name
from kmodlab.records.report.machinery import INTERRUPT, is_machinery
from kmodlab.records.report.record import Frame

__all__ = ["guilty"]

_IDLE = frozenset(
    (
        *("acpi_idle_do_entry", "acpi_safe_halt", "arch_cpu_idle", "cpu_do_idle", "cpu_startup_entry", "cpuidle_enter"),
        *("cpuidle_enter_state", "cpuidle_idle_call", "default_idle", "default_idle_call", "do_idle", "intel_idle"),
        *("mwait_idle", "native_safe_halt", "pv_native_safe_halt", "rest_init", "start_secondary"),
    )
)
"""What a processor with nothing to do is in."""


def guilty(
    traces: Sequence[Sequence[Frame]], search: Search, ours: Collection[str], named: Frame | None = None
) -> Frame | None:
    """Return the frame to blame.

    It is the first of a module of one's own that the kernel is sure of, else the first of another module, else the
    first of the kernel that is not machinery; frames marked with ``?`` count only where there is no other.

    Args:
        traces: those that may hold it, the likeliest first; each has its innermost frame first.
        search: how to look.
        ours: names of modules built outside the kernel's tree; they come before the tree's own modules.
        named: the function that the report's first line names.
    """
    parts = [list(_part(trace, search)) for trace in traces]
    sure = [[frame for frame in part if frame.reliable] for part in parts]
    wild = [[frame for frame in part if not frame.reliable] for part in parts]

    def of_ours(frame: Frame) -> bool:
        return frame.module in ours

    def of_a_module(frame: Frame) -> bool:
        return bool(frame.module) and not is_machinery(frame.function, search)

    def of_the_kernel(frame: Frame) -> bool:
        return bare_name(frame.function) not in _IDLE and not is_machinery(frame.function, search)

    from_line = [[named]] if named else []
    for frames, wanted in (
        ([*from_line, *sure], of_ours),
        (wild, of_ours) if not any(map(any, sure)) else ([], of_ours),
        ([*from_line, *sure], of_a_module),
        (sure if search != "text" else [*from_line, *sure], of_the_kernel),
        (from_line, of_the_kernel),
        (wild, of_a_module),
        (wild, of_the_kernel),
    ):
        if found := _first(frames, wanted):
            return found
    return named if named and search != "lock" else None


def _first(traces: Sequence[Sequence[Frame]], wanted: Callable[[Frame], bool]) -> Frame | None:
    return next((frame for trace in traces for frame in trace if wanted(frame)), None)


def _part(trace: Sequence[Frame], search: Search) -> Iterator[Frame]:
    """The part of a trace that may hold the function: without what an interrupt interrupted, or only that."""
    if search == "hang" and trace and trace[0].exact:
        return iter(trace)  # the watchdog shows the registers that it found
    cut = _interrupted(trace)
    if search == "hang":
        return iter(trace[cut:] if cut < len(trace) else trace)
    return iter(trace[:cut] or trace)


def _interrupted(trace: Sequence[Frame]) -> int:
    """The number of the first frame that was interrupted; the trace's length if none was."""
    for number in range(1, len(trace)):
        before, here = trace[number - 1], trace[number]
        if not before.reliable:
            continue
        left = before.context and not here.context
        if (left or INTERRUPT.match(before.function)) and not _entry(here):
            return number
    return len(trace)


def _entry(frame: Frame) -> bool:
    return not frame.exact and INTERRUPT.match(frame.function) is not None
