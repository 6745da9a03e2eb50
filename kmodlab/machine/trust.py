# SPDX-License-Identifier: MIT
"""Where what the host knows, what a machine's memory says and what the guest says of itself do not go together.

After the first module of a stranger's was loaded, everything in the guest may lie. Three witnesses are compared here:
the host's own book of what it loaded and unloaded, the memory read from outside (`outside.look`), and the guest's
answers. The console is the host's too, but who writes to it is not: so a word drawn at random is sent through it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from kmodlab import aio
from kmodlab.errors import CommandTimeout, RecordParseError, TransferError
from kmodlab.machine.outside import Outside
from kmodlab.records.elf import ModuleFile
from kmodlab.records.modules import parse_modules
from kmodlab.records.report import Report, parse_reports
from kmodlab.records.table import Column, Rows
from kmodlab.records.taint import Taint, parse_taint

if TYPE_CHECKING:
    from kmodlab.machine.machine import Machine

__all__ = ["Answers", "Expected", "Suspicion", "compare", "settled", "suspicions"]

_FREE = {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
"""What the kernel itself takes for compatible with its own licence (``license_is_gpl_compatible``)."""

_SELF_TOLD = {"hung-task", "soft-lockup", "hard-lockup", "rcu-stall", "workqueue-lockup"}
_LOOKS = 3  # a module that comes or goes between two looks is no lie
_FLOOD = 1 << 20  # bytes on the console beyond which a word may have been skipped
_WORD_SECONDS = 1.0
_MARK_SECONDS, _PANIC_SECONDS = 3.0, 10.0
_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something that does not go together.

    Attributes:
        kind: ``hidden-module`` (loaded, and not in the list in memory), ``lingering-module`` (unloaded, and still
            there), ``false-list`` (``/proc/modules`` differs from memory), ``damaged-list``, ``cleared-taint``,
            ``false-taint`` (``/proc/sys/kernel/tainted`` differs from memory), ``false-report`` (the log tells of a
            fault that left no taint), ``missing-report`` (a taint whose fault is not in the log), ``silenced-log``
            (what the host wrote to the log does not reach the console), ``no-answer``.
        text: what was expected and what was found, in a sentence.
    """

    kind: str
    text: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("kind", kind="code"), Column("text", "what does not go together"))

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Expected:
    """The host's own book: what must be loaded, what must be gone, and which taint that leaves for ever.

    Attributes:
        loaded: names of modules that must be on the kernel's list.
        gone: names of modules that must not be.
        taint: flags that must be set.
        unmarked: how many reports the log held when one of them was found to have left no mark.
    """

    loaded: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    taint: Taint = field(default_factory=Taint)
    unmarked: int = 0

    def load(self, module: ModuleFile | str) -> None:
        """Note that a module was loaded: by its file, or by its name if it is one of the kernel's own."""
        name = (module if isinstance(module, str) else module.name).replace("-", "_")
        self.loaded.add(name)
        self.gone.discard(name)
        if not isinstance(module, str):
            self.taint = Taint(self.taint.mask | _taint_of(module).mask)

    def unload(self, name: str) -> None:
        """Note that a module was unloaded."""
        name = name.replace("-", "_")
        self.loaded.discard(name)
        self.gone.add(name)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the guest says of itself; None where it gave no answer that makes sense.

    Attributes:
        modules: the names in ``/proc/modules``.
        taint: from ``/proc/sys/kernel/tainted``.
        word: whether a word written to its log came out at the console; None if that cannot be told.
    """

    modules: tuple[str, ...] | None
    taint: Taint | None
    word: bool | None


def compare(expected: Expected, outside: Outside, answers: Answers, reports: Iterable[Report] = ()) -> Rows[Suspicion]:
    """Return what does not go together, the gravest first; empty if all does."""
    found = (
        *_list(expected, outside),
        *_taint(expected.taint, outside.taint),
        *_guest(outside, answers),
        *_reports(outside.taint, list(reports)),
    )
    return Rows(found, caption="What does not go together", columns=Suspicion.COLUMNS)


def suspicions(vm: Machine) -> Rows[Suspicion]:
    """Look from outside, ask the guest, and compare; see `Machine.suspicions`."""
    mark, printed = vm.log_mark(), _printed(vm)
    outside = vm.outside()
    for _ in range(_LOOKS):
        modules, taint = _modules(vm), _guest_taint(vm)
        before, outside = outside, vm.outside()
        if modules is not None and Counter(modules) in (Counter(before.modules), Counter(outside.modules)):
            break
    word = _send_word(vm, mark, printed)
    outside = settled(vm, outside)
    return compare(vm._expected, outside, Answers(modules, taint, word), vm.reports())


def settled(vm: Machine, seen: Outside | None = None) -> Outside:
    """Return what stands in the machine's memory, once a fault that the log tells of has left its mark there.

    The kernel prints an oops or a warning first and sets its taint at the end, so who looks in between sees a fault
    that seems to be made up. What still does not go together after three seconds is; a panic, which ends the machine,
    gets ten, since it has much to print.

    Args:
        vm: the machine.
        seen: what was seen last, which is good enough if the log tells nothing else.

    Raises:
        MachineLost: it ended, or is not running.
    """
    outside, start = seen or vm.outside(), time.monotonic()
    while True:
        told = parse_reports(vm.dmesg(), modules=outside.modules)
        patience = _PANIC_SECONDS if any(report.deadly for report in told) else _MARK_SECONDS
        marked = not any(one.kind == "false-report" for one in _reports(outside.taint, list(told)))
        if marked or len(told) == vm._expected.unmarked:
            return outside
        if time.monotonic() - start > patience:
            vm._expected.unmarked = len(told)
            return outside
        aio.call(vm._running().console.reach(float("inf"), _BETWEEN_LOOKS))
        outside = vm.outside()


def _taint_of(file: ModuleFile) -> Taint:
    """The flags that loading this file leaves on every kernel: it is not the kernel's own, it is not free."""
    facts = dict(file.modinfo)
    mask = 0 if facts.get("intree") == "Y" else 1 << 12
    return Taint(mask if facts.get("license") in _FREE else mask | 1)


def _list(expected: Expected, outside: Outside) -> Iterator[Suspicion]:
    if not outside.whole:
        yield Suspicion("damaged-list", "the kernel's list of modules does not come back to its beginning")
    for name in sorted(expected.loaded - set(outside.modules)):
        yield Suspicion("hidden-module", f"{name} was loaded and not unloaded from here, and memory does not list it")
    for name in sorted(expected.gone & set(outside.modules)):
        yield Suspicion("lingering-module", f"{name} was unloaded, says the guest, and memory still lists it")


def _taint(expected: Taint, found: Taint) -> Iterator[Suspicion]:
    for flag in expected - found:
        yield Suspicion("cleared-taint", f"the loaded modules set the taint {flag.letter} ({flag.name}); it is not set")


def _guest(outside: Outside, answers: Answers) -> Iterator[Suspicion]:
    if answers.modules is None or answers.taint is None:
        yield Suspicion("no-answer", "the guest's answer about its modules or its taint makes no sense")
    if answers.modules is not None:
        more, fewer = Counter(answers.modules) - Counter(outside.modules), Counter(outside.modules)
        fewer.subtract(Counter(answers.modules))
        for name in sorted(more):
            yield Suspicion("false-list", f"/proc/modules lists {name}, memory does not")
        for name in sorted(+fewer):
            yield Suspicion("false-list", f"memory lists {name}, /proc/modules does not")
    if answers.taint is not None and answers.taint != outside.taint:
        said, is_ = answers.taint.letters or "none", outside.taint.letters or "none"
        yield Suspicion("false-taint", f"the guest says that its taint is {said}, memory says {is_}")
    if answers.word is False:
        yield Suspicion("silenced-log", "a line written to the kernel's log does not come out at the console")


def _reports(taint: Taint, reports: list[Report]) -> Iterator[Suspicion]:
    """Hold the log against the taint that each fault leaves in memory; a panic leaves no machine to ask."""
    oops = next((report for report in reports if report.oops), None)
    if oops and "D" not in taint:
        sign = (
            "after which no machine goes on; this one does" if oops.deadly else "which sets the taint D; it is not set"
        )
        yield Suspicion("false-report", f"the log tells of {oops.title!r}, {sign}")
    warning = next((report for report in reports if report.kind == "warning"), None)
    if warning and "W" not in taint:
        yield Suspicion("false-report", f"the log tells of {warning.title!r}, which sets the taint W; it is not set")
    if "D" in taint and not oops:
        yield Suspicion("missing-report", "the kernel has died in an oops (taint D) of which the log tells nothing")
    if "W" in taint and all(report.kind in _SELF_TOLD for report in reports):
        yield Suspicion("missing-report", "the kernel has warned (taint W) of something of which the log tells nothing")


def _modules(vm: Machine) -> tuple[str, ...] | None:
    with contextlib.suppress(RecordParseError, TransferError, CommandTimeout):
        return tuple(row.name for row in parse_modules(vm._snapshot("/proc/modules")))
    return None


def _guest_taint(vm: Machine) -> Taint | None:
    with contextlib.suppress(RecordParseError, TransferError, CommandTimeout):
        return parse_taint(vm._snapshot("/proc/sys/kernel/tainted"))
    return None


def _send_word(vm: Machine, mark: int, printed: int) -> bool | None:
    """Write a word that nobody could know before to the guest's log, and look whether the console prints it."""
    word = f"kmodlab-word {secrets.token_hex(8)}"
    try:
        vm.run(["tee", "/dev/kmsg"], timeout=10, stdin=f"<6>{word}\n".encode())
    except (CommandTimeout, TransferError):
        return False
    for _ in range(2):
        if any(record.text == word for record in vm.dmesg(since=mark)):
            return True
        # A time that never comes: this waits as long as it may for what is still on its way.
        aio.call(vm._running().console.reach(float("inf"), _WORD_SECONDS))
    return None if _printed(vm) - printed > _FLOOD else False


def _printed(vm: Machine) -> int:
    return vm._running().console.bytes_printed()
