# SPDX-License-Identifier: MIT
"""Whose panel it is: a notebook's machine, whichever that is at the time, or one machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.config import settings
from kmodlab.errors import MachineStateError
from kmodlab.jupyter.lab import Lab
from kmodlab.machine.emulator import lost_error
from kmodlab.machine.machine import Machine, State

__all__ = ["Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a panel shows and acts upon.

    Attributes:
        lab: the notebook's machine and modules.
        only: the one machine that it is about; None: the notebook's.
    """

    lab: Lab
    only: Machine | None = None
    _turn: threading.RLock = field(default_factory=threading.RLock, compare=False, repr=False)

    @property
    def current(self) -> Machine | None:
        """The machine as it is, or None if none was made yet."""
        return self.only or self.lab.current

    @property
    def modules(self) -> dict[str, ModuleArtifact]:
        """What was built in the notebook, by name."""
        return dict(self.lab.modules)

    def machine(self) -> Machine:
        """Return the machine; where it is just being replaced, the fresh one.

        Raises:
            MachineStateError: there is none.
        """
        with self._turn:
            if self.current is None:
                raise MachineStateError("use the machine: none runs; press Start")
            return self.current

    def fresh(self) -> Machine:
        """Return a fresh machine in place of the current one, whatever state that is in."""
        with self._turn:
            return self.only.reset() if self.only else self.lab.reset()

    def facts(self) -> dict[str, object]:
        """Return what can be said of the machine without asking it."""
        vm = self.current
        state = vm.state if vm else State.NEW
        return {
            "state": state.value,
            "dozing": vm is not None and state is State.RUNNING and vm.dozing,
            "reason": _why_lost(vm) if vm and state is State.LOST else "",
            "kernel": vm._template.kernel.release if vm and vm._template else "",
            "accelerator": vm.accelerator if vm and vm._template else "",
            "cpus": vm._wanted[2] if vm else settings().cpus,
            "memory": vm._wanted[1] if vm else settings().memory,
        }


def _why_lost(vm: Machine) -> str:
    reason = vm._emulator.lost if vm._emulator else ""
    words = str(lost_error("hung" if vm._silent else reason or "killed"))
    return words.partition(": ")[2].partition(";")[0]
