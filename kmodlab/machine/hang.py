# SPDX-License-Identifier: MIT
"""Tasks of the guest under a time limit that is fair, and where one is that never ends.

The limit counts the time that the machine could run (`Pulse`), so a busy host lengthens it. When it is over, the
place is looked for while the task still hangs, in this order:

1. the stacks of the task's processes (``/proc/PID/stack``) and the processors' (``sysrq l``): told by the guest;
2. if the guest does not answer, an NMI from outside, at which its kernel panics with a backtrace (it was booted with
   ``unknown_nmi_panic``). That this was needed, and the panic, are the host's own evidence; the trace is the console's.
   A machine that can get no NMI (`Emulator.can_nmi`) is only found silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from kmodlab import aio
from kmodlab.errors import MachineLost
from kmodlab.guest.channel import OUTPUT_LIMIT, Channel, TaskResult
from kmodlab.guest.session import parse_snapshot
from kmodlab.machine.emulator import Emulator
from kmodlab.machine.pulse import Pulse
from kmodlab.machine.stall import Manner, Stall
from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.report.collect import TASK
from kmodlab.records.report.frames import read_frame
from kmodlab.records.report.record import Frame

__all__ = ["SEARCH", "Stall", "Watched", "backtraces", "watch"]

T = TypeVar("T")

SEARCH = 0.25
"""Of a step's time, what the search for a hang's place may take."""

_BEAT = 0.1
_PATIENCE = 2.0  # seconds of the machine's time that it may take to answer a question about itself
_ECHO = 1.0  # the same for the answer that costs nothing, so that with the panic's own second all stays in the limit
_PATIENT_WALL = 6.0  # the limit is over at the latest after so many times its length, whatever the host did
_SECTION = re.compile(r"NMI backtrace for cpu (\d+)(?! skipped)|Kernel panic - not syncing: (?:NMI|Hard LOCKUP)")
# A program's processor prints registers only; then the last of them is the end.
_SECTION_END = re.compile(r"skipped: |^ *</TASK>|RIP: 0033(?:.*\n)+.*\bCR2: ", re.MULTILINE)
_PANIC_END = re.compile(r"---\[ end Kernel panic|Kernel Offset: ")
_INTERRUPTS = 0x200  # the flag IF of a processor that listens to interrupts
_POINTER = re.compile(r"(?:RIP: 0010:|pc : )(.*)")


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of a task under a limit.

    Attributes:
        result: its result, or None if it did not end.
        stall: where it is then.
        pulse: what time the machine had.
        printed: standard output and standard error of a task that did not end.
    """

    result: TaskResult | None
    stall: Stall | None
    pulse: Pulse
    printed: tuple[bytes, bytes] = (b"", b"")


def watch(
    emulator: Emulator,
    channel: Channel,
    argv: Sequence[str],
    *,
    limit: float,
    own: Iterable[str] = (),
    stdin: bytes = b"",
    output_limit: int = OUTPUT_LIMIT,
    cwd: str = "/root",
    on_output: Callable[[int, bytes], object] | None = None,
) -> Watched:
    """Run a task in the guest, for at most `limit` seconds of the machine's own time.

    Args:
        emulator, channel: the machine.
        argv: as for `Channel.task`.
        limit: seconds.
        own: names of the modules that may be to blame; any module if there are none.
        stdin, cwd: what the task reads, and where it starts.
        output_limit: bytes that it may print.
        on_output: as for `Channel.task`.

    Raises:
        MachineLost: QEMU ended, the guest panicked by itself, or (reason ``starved``) it hardly got to run.
    """
    printed = (bytearray(), bytearray())

    def take(stream: int, data: bytes) -> None:
        printed[stream - 1].extend(data)
        if on_output:
            on_output(stream, data)

    def work() -> Coroutine[Any, Any, TaskResult]:
        return channel.task(argv, stdin=stdin, cwd=cwd, limit=output_limit, on_output=take)

    watched = aio.call(_watch(emulator, channel, work, limit, tuple(own)))
    return watched if watched.result else replace(watched, printed=(bytes(printed[0]), bytes(printed[1])))


async def _watch(
    emulator: Emulator,
    channel: Channel,
    work: Callable[[], Coroutine[Any, Any, TaskResult]],
    limit: float,
    own: tuple[str, ...],
) -> Watched:
    pulse = Pulse(emulator.pid)
    task = asyncio.ensure_future(work())
    try:
        while pulse.lived < limit and pulse.wall < limit * _PATIENT_WALL:
            if (await asyncio.wait({task}, timeout=_BEAT))[0]:
                return Watched(task.result(), None, pulse)
            pulse.beat()
        if pulse.lived < limit:
            words = "this computer left the machine no time to run in; try again when it has less to do"
            raise MachineLost(f"watch a task: {words}", reason="starved")
        mark = emulator.console.mark()
        stall = replace(await _examine(emulator, channel, pulse, own), log_end=mark)
        if task.done() and not task.exception():
            return Watched(task.result(), None, pulse)  # it ended while its place was looked for
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=5)
    if stall.answered and not emulator.lost and stall.task:
        stall = await _still_there(channel, pulse, stall)
    return Watched(None, stall, pulse)


async def _within(pulse: Pulse, coroutine: Coroutine[Any, Any, T], patience: float = _PATIENCE) -> T:
    """Wait for something for so many seconds of the machine's time.

    Raises:
        TimeoutError: it did not come.
    """
    task = asyncio.ensure_future(coroutine)
    end, wall = pulse.lived + patience, pulse.wall + patience * _PATIENT_WALL
    try:
        while pulse.beat() < end and pulse.wall < wall:
            if (await asyncio.wait({task}, timeout=_BEAT))[0]:
                return task.result()
    finally:
        task.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await asyncio.wait({task}, timeout=0.1)
    raise TimeoutError


async def _examine(emulator: Emulator, channel: Channel, pulse: Pulse, own: tuple[str, ...]) -> Stall:
    try:
        await _within(pulse, channel.ping(60), _ECHO)
        sleepers = await _within(pulse, _sleepers(channel, own))
        # A program that merely takes long, where nothing was loaded from outside, should leave no traces in the log.
        calm = not own and all(one.manner == "sleeping" and not one.culprit for one in sleepers)
        processors = [] if calm else await _within(pulse, _processors(emulator, channel, own))
        if stalls := [*processors, *sleepers]:
            return min(stalls, key=lambda stall: stall.depth)
    except (TimeoutError, MachineLost):
        if emulator.lost:
            raise MachineLost("watch a task: the machine ended meanwhile", reason=emulator.lost) from None
    else:
        return Stall("sleeping", own=own)
    return await _by_nmi(emulator, pulse, own)


async def _processors(emulator: Emulator, channel: Channel, own: tuple[str, ...]) -> list[Stall]:
    """What the guest's processors are at (``echo l > /proc/sysrq-trigger``): those that are in one of the modules."""
    before = emulator.console.mark()
    done = await channel.task(["bash", "-c", "echo l >/proc/sysrq-trigger"])
    await emulator.console.reach(done.log_time)
    for _ in range(30):
        # A processor prints its own later than the one that asked, which may have ended by then.
        if _whole(emulator.console.since(before)) >= emulator.hardware.cpus:
            break
        await asyncio.sleep(0.05)
    stalls = backtraces(emulator.console.since(before), own)
    return [stall for stall in stalls if stall.culprit]


def _whole(records: Sequence[KmsgRecord]) -> int:
    """How many processors' backtraces have been printed to their end."""
    sections = "\n".join(record.text for record in records).split("NMI backtrace for cpu ")[1:]
    return sum(bool(_SECTION_END.search(section)) for section in sections)


async def _by_nmi(emulator: Emulator, pulse: Pulse, own: tuple[str, ...]) -> Stall:
    """Make the kernel panic from outside, and return where its processors were."""
    if not emulator.can_nmi:
        return Stall("silent", answered=False, own=own)
    before = emulator.console.mark()
    await emulator.inject_nmi()

    async def printed() -> None:
        # The panic waits a second for the other processors; in an NMI its text is printed only at its very end.
        while not any(_PANIC_END.match(record.text) for record in emulator.console.since(before)):
            await asyncio.sleep(0.05)

    with contextlib.suppress(TimeoutError):
        await _within(pulse, printed(), 3.0)
    found = backtraces(emulator.console.since(before), own, answered=False)
    # What the kernel was at by itself, at that moment, says nothing about why nobody answered.
    blamed = [stall for stall in found if stall.culprit]
    return min(blamed, key=lambda stall: stall.depth, default=Stall("silent", answered=False, own=own))


def backtraces(records: Sequence[KmsgRecord], own: tuple[str, ...], *, answered: bool = True) -> list[Stall]:
    """Return what each processor was at, from the backtraces that an NMI made them print."""
    starts = [number for number, record in enumerate(records) if _SECTION.search(record.text)]
    found = []
    for start, end in pairwise([*starts, len(records)]):
        texts = [record.text for record in records[start:end]]
        if not any("write_sysrq_trigger" in text for text in texts):
            found.append(_backtrace(texts, own, answered))
    return found


def _backtrace(texts: Sequence[str], own: tuple[str, ...], answered: bool) -> Stall:
    contexts: list[tuple[list[Frame], int]] = []  # what stands before the first is the backtrace's own way
    task = ""
    for text in texts:
        if named := TASK.search(text):
            task = task or f"{named['comm']}/{named['pid']}"
        if pointer := _POINTER.search(text):
            first = read_frame(f" {pointer[1]}")
            contexts.append(([_exact(first)] if first else [], _INTERRUPTS))
        elif "RIP: 0033" in text:
            break
        elif contexts and (frame := read_frame(text)) and frame.reliable:
            contexts[-1][0].append(frame)
        elif contexts and (mask := re.search(r"EFLAGS: ([0-9a-f]+)", text)):
            contexts[-1] = contexts[-1][0], int(mask[1], 16)
    return _innermost(contexts, Stall("spinning", (), task, answered=answered, own=own))


def _innermost(contexts: Sequence[tuple[list[Frame], int]], blank: Stall) -> Stall:
    """Where a processor is: of what interrupted each other, the innermost that has to do with the modules."""
    stalls = [replace(blank, trace=tuple(frames), interrupts_off=not flags & _INTERRUPTS) for frames, flags in contexts]
    number = next((number for number, stall in enumerate(stalls) if stall.culprit), 0)
    trace = tuple(frame for stall in stalls[number:] for frame in stall.trace)
    return replace(stalls[number], trace=trace) if trace else replace(blank, manner="silent")


def _exact(frame: Frame) -> Frame:
    return Frame(frame.function, frame.offset, frame.size, frame.module, exact=True)


async def _sleepers(channel: Channel, own: tuple[str, ...]) -> list[Stall]:
    """What the agent's tasks sleep in: all their processes and threads, from ``/proc``."""
    stats = await _snapshot(channel, ["/proc/self/stat", "/proc/[0-9]*/stat"])
    mine = _stat(stats.pop("/proc/self/stat", ""))  # a child of the agent, as the task that hangs is
    processes = {process.pid: process for process in map(_stat, stats.values()) if process.pid}
    tree = [pid for pid in processes if pid != mine.pid and _descends(pid, mine.parent, processes)]
    patterns = [f"/proc/{pid}/task/*/{name}" for pid in tree for name in ("stat", "stack")]
    files = await _snapshot(channel, patterns) if patterns else {}
    found = []
    for path, text in files.items():
        process = _stat(text) if path.endswith("/stat") else _NOBODY
        if process.state in _GONE:
            continue
        lines = files.get(path.removesuffix("stat") + "stack", "").splitlines()
        trace = tuple(frame for line in lines if (frame := read_frame(" " + line.removeprefix("[<0>] "))))
        manner: Manner = "spinning" if process.state == "R" else "sleeping"
        found.append(Stall(manner, trace, f"{process.name}/{process.pid}", own=own))
    return sorted(found, key=lambda stall: (stall.depth, stall.manner, not stall.trace))


async def _snapshot(channel: Channel, patterns: Sequence[str]) -> dict[str, str]:
    done = await channel.task(["@snapshot", *patterns], cwd="/")
    return {path: content.decode(errors="replace") for path, content in parse_snapshot(done.stdout).items()}


class _Process(NamedTuple):
    pid: int = 0
    name: str = ""
    state: str = ""
    parent: int = 0


_NOBODY = _Process()
_GONE = {"", "Z", "X"}


def _stat(text: str) -> _Process:
    """What ``/proc/PID/stat`` says; `_NOBODY` for damaged text."""
    found = re.match(r"(\d+) \((.*)\) (\w) (\d+) ", text, re.DOTALL)
    return _Process(int(found[1]), found[2], found[3], int(found[4])) if found else _NOBODY


def _descends(pid: int, ancestor: int, processes: Mapping[int, _Process]) -> bool:
    for _ in processes:
        parent = processes.get(pid, _NOBODY).parent
        if parent == ancestor:
            return True
        pid = parent
    return False


async def _still_there(channel: Channel, pulse: Pulse, stall: Stall) -> Stall:
    """Add whether the task outlived SIGKILL, which takes effect when its processor next comes by the scheduler."""
    path = f"/proc/{stall.task.rpartition('/')[2]}/stat"

    async def ended() -> None:
        while any(_stat(text).state not in _GONE for text in (await _snapshot(channel, [path])).values()):
            await asyncio.sleep(_BEAT)

    try:
        await _within(pulse, ended())
    except (TimeoutError, MachineLost):
        return replace(stall, unkillable=True)
    return replace(stall, unkillable=False)
