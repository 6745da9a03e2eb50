# SPDX-License-Identifier: MIT
"""The lives of modules, from the kernel's trace as text: asked for, init, live, exit, gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from kmodlab.records.table import Column, Rows

__all__ = ["Life", "parse_lives"]

_EVENT = re.compile(r"^\s*\S.*?-(?P<task>\d+)\s+\[\d+\].*?\s(?P<seconds>\d+\.\d+): (?P<name>\w+)[:(] ?(?P<rest>.*)$")
_COUNTED = re.compile(r"^(?P<module>\S+) call_site=(?P<caller>\S+) refcnt=(?P<count>\d+)")
_RETURNED = re.compile(r"\bret=(-?\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a module; times are seconds on the trace's clock.

    Attributes:
        module: its name.
        asked: when a program asked the kernel to load it.
        begun: when the kernel had it in place and called its init function.
        ready: when the init function returned; the same if it has none.
        returned: what the init function returned.
        leaving: when a program asked the kernel to unload it; None if none did.
        gone: when it was out of the kernel; None if it is there still.
        uses: how its refcount went since it was live, as pairs of a time and the count from then on, as ``lsmod``
            shows it; empty if the trace does not tell or nobody used it.
    """

    module: str
    asked: float
    begun: float
    ready: float
    returned: int = 0
    leaving: float | None = None
    gone: float | None = None
    uses: tuple[tuple[float, int], ...] = ()

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("module", kind="code"),
        Column("at", "at (s)"),
        Column("load", "load (ms)"),
        Column("init", "init (ms)"),
        Column("live", "live (s)"),
        Column("most", "refcount at most", "number"),
        Column("exit", "exit (ms)"),
        Column("returned", "init returned", "number"),
    )

    @property
    def at(self) -> float:
        """When it was asked for, to the millisecond."""
        return round(self.asked, 3)

    @property
    def refused(self) -> bool:
        """Whether its init function returned an error, so that it never was live."""
        return self.returned < 0

    @property
    def load(self) -> float:
        """Milliseconds from the request to the call of its init function."""
        return round(1000 * (self.begun - self.asked), 3)

    @property
    def init(self) -> float:
        """Milliseconds that its init function took."""
        return round(1000 * (self.ready - self.begun), 3)

    @property
    def live(self) -> float | None:
        """Seconds that it was live; None if it is still, or never was."""
        return None if self.refused or self.leaving is None else round(self.leaving - self.ready, 3)

    @property
    def most(self) -> int:
        """The highest refcount that it had while it was live."""
        return max((count for _, count in self.uses), default=0)

    @property
    def exit(self) -> float | None:
        """Milliseconds from the request to unload it until it was gone, its exit function included."""
        return None if self.gone is None or self.leaving is None else round(1000 * (self.gone - self.leaving), 3)


def parse_lives(trace: str) -> Rows[Life]:
    """Return the lives that a trace tells of, in the order in which they began.

    The trace is the text of ``/sys/kernel/tracing/trace``, with the events ``module_load`` and ``module_free``,
    ``initcall_start`` and ``initcall_finish``, ``sys_enter_finit_module`` (or ``init``) and
    ``sys_enter_delete_module``, and for the refcounts ``module_get`` and ``module_put``. Lines of other events are
    passed over, and so is what a trace that was cut leaves half told.
    """
    lives: list[Life] = []
    asked: dict[str, float] = {}  # by task: when it asked for something
    last: dict[str, int] = {}  # by task: which life it has begun
    for task, seconds, name, rest in _events(trace):
        if name in {"sys_finit_module", "sys_init_module", "sys_delete_module"}:
            asked[task] = seconds
            last.pop(task, None)
        elif name == "module_load" and rest:
            last[task] = len(lives)
            lives.append(Life(rest.split()[0], asked.get(task, seconds), seconds, seconds))
        elif name in {"initcall_start", "initcall_finish"} and task in last:
            lives[last[task]] = _init(lives[last[task]], name, seconds, rest)
        elif name in {"module_get", "module_put"}:
            _count(lives, seconds, rest)
        elif name == "module_free" and rest:
            _end(lives, rest.split()[0], asked.get(task, seconds), seconds)
    return Rows(lives, caption="Lives of modules", columns=Life.COLUMNS)


def _events(trace: str) -> Iterator[tuple[str, float, str, str]]:
    for line in trace.splitlines():
        found = None if line.startswith("#") else _EVENT.match(line)
        if found:
            yield found["task"], float(found["seconds"]), found["name"], found["rest"]


def _init(life: Life, name: str, seconds: float, rest: str) -> Life:
    if name == "initcall_start":
        return replace(life, begun=seconds, ready=seconds)
    returned = _RETURNED.search(rest)
    return replace(life, ready=seconds, returned=int(returned[1]) if returned else 0)


def _living(lives: list[Life], module: str) -> int | None:
    """The place of a module's last life, if that has not ended."""
    at = next((at for at in reversed(range(len(lives))) if lives[at].module == module), None)
    return at if at is not None and lives[at].gone is None else None


def _count(lives: list[Life], seconds: float, rest: str) -> None:
    counted = _COUNTED.match(rest)
    at = _living(lives, counted["module"]) if counted else None
    if counted is None or at is None:
        return
    if counted["caller"] == "do_init_module":
        # Whoever loads it holds it until now; what its own init did with the count ends here too.
        lives[at] = replace(lives[at], uses=())
        return
    # The kernel counts from 1, so that 0 can mean "going".
    count = max(int(counted["count"]) - 1, 0)
    lives[at] = replace(lives[at], uses=(*lives[at].uses, (seconds, count)))


def _end(lives: list[Life], module: str, asked: float, seconds: float) -> None:
    at = _living(lives, module)
    if at is not None:
        life = lives[at]
        lives[at] = replace(life, gone=seconds, leaving=None if life.refused else asked)
