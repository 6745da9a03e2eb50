# SPDX-License-Identifier: MIT
"""What a panel's page is told: all of it for a page that has just come, and then only what has changed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.jupyter.lab import lab_modules
from kmodlab.jupyter.panel.glance import Glance, Glancer
from kmodlab.jupyter.panel.log import KEPT, LogTail
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.machine.console import Console
from kmodlab.machine.machine import State
from kmodlab.records.modinfo import ModInfo
from kmodlab.records.taint import Taint

__all__ = ["Feed", "Message"]

Message = dict[str, Any]
"""What goes to a page; ``see`` says what it is about."""

_SAMPLES = 600


class Feed:
    """The state of a panel on Python's side; `changes` and `whole` are called by one thread at a time.

    Attributes:
        subject: what it is about.
        log: the end of the kernel's log, machine after machine.
        glance: what the guest has last said of itself, or None.
        glancer: what asks it.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.log = LogTail()
        self.glance: Glance | None = None
        self.glancer = Glancer()
        self._console: Console | None = None
        self._mark = 0
        self._sent = 0
        self._samples: deque[Message] = deque(maxlen=_SAMPLES)
        self._told: dict[str, Message] = {}
        self._booted = 0.0

    def changes(self) -> Iterator[Message]:
        """Yield what has changed since the last call."""
        stirred = self._read_log()
        self._look(stirred=stirred)
        for message in (self._machine(), self._modules(), self._built()):
            if self._told.get(message["see"]) != message:
                self._told[message["see"]] = message
                yield message
        yield from self._new_lines()
        if self._samples and not self._samples[-1].pop("told", True):
            yield {"see": "samples", "samples": [self._samples[-1]], "now": time.monotonic(), "again": False}

    def whole(self) -> Iterator[Message]:
        """Yield everything, for a page that knows nothing yet; `changes` goes on from there."""
        list(self.changes())
        yield from self._told.values()
        missing, lines = self.log.since(0, KEPT)
        yield {"see": "log", "lines": lines, "missing": missing, "again": True}
        yield {"see": "samples", "samples": list(self._samples), "now": time.monotonic(), "again": True}

    # -- The machine ----------------------------------------------------------------------------------------------

    def _read_log(self) -> bool:
        """Read what the machine has logged; return whether there was anything."""
        vm = self.subject.current
        if vm is None or vm._console is None or (vm._console is not self._console and vm.state is State.CLOSED):
            return False
        if vm._console is not self._console:
            if self._console is not None:
                self.log.remark("A fresh machine")
            self._console, self._mark, self.glance = vm._console, vm._log_start, None
            self.glancer.hurry()
        records, self._mark = self._console.news(self._mark)
        self.log.add(records)
        return bool(records)

    def _look(self, *, stirred: bool) -> None:
        vm = self.subject.current
        if vm is None or vm.state is not State.RUNNING:
            return
        seen = self.glancer.beat(vm, stirred=stirred)
        if seen:
            self.glance = seen
            refs = {row.name: row.refcount or 0 for row in seen.modules if self._is_ours(row.name, row.taints)}
            self._samples.append({"t": seen.when, "used": seen.used, "refs": refs, "told": False})

    def _is_ours(self, name: str, taints: str) -> bool:
        return "O" in taints or name in self.subject.lab.modules

    # -- Messages -------------------------------------------------------------------------------------------------

    def _machine(self) -> Message:
        facts, seen = self.subject.facts(), self.glance
        message: Message = {"see": "machine", **facts, "silent": self.glancer.silent, "taints": "", "uptime": None}
        if seen and facts["state"] in {"running", "paused", "lost"}:
            words = str(seen.taint) if seen.taint else ""
            message |= {"taints": seen.taint.letters, "taint_words": words, "uptime": seen.uptime}
        if seen and facts["state"] == "running":
            # The page counts the seconds on by itself, so the moment of the boot is told, and only once.
            booted = time.time() - time.monotonic() + seen.when - seen.uptime
            self._booted = booted if abs(booted - self._booted) > 1 else self._booted
            message |= {"uptime": None, "booted": self._booted, "reason": _harm(seen.taint)}
        return message

    def _modules(self) -> Message:
        alive = self.subject.facts()["state"] in {"running", "paused"}
        rows = [
            {
                "name": row.name,
                "size": row.size,
                "refs": row.refcount,
                "holders": list(row.holders),
                "state": row.state,
                "permanent": row.permanent,
                "ours": self._is_ours(row.name, row.taints),
            }
            for row in (self.glance.modules if self.glance and alive else ())
        ]
        return {"see": "modules", "rows": rows, "alive": alive}

    def _built(self) -> Message:
        modules = self.subject.modules
        built = [{"name": name, "parameters": _parameters(module)} for name, module in modules.items()]
        return {"see": "built", "built": built, "offered": sorted(set(lab_modules()) - set(modules))}

    def _new_lines(self) -> Iterator[Message]:
        if self._sent < self.log.count:
            missing, lines = self.log.since(self._sent)
            self._sent = self.log.count
            yield {"see": "log", "lines": lines, "missing": missing, "again": False}


def _harm(taint: Taint) -> str:
    """What makes a running kernel one that should be replaced, or nothing."""
    flags = sorted(taint.beyond_expected, key=lambda flag: flag.name != "die")
    return flags[0].meaning if flags else ""


def _parameters(module: ModuleArtifact) -> list[dict[str, str]]:
    info = ModInfo.from_file(module.file, filename=module.path.name)
    # The compiler's order is no order that a reader knows.
    parameters = sorted(info.parameters, key=lambda one: one.name)
    return [{"name": one.name, "type": one.type, "text": one.description} for one in parameters]
