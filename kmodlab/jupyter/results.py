# SPDX-License-Identifier: MIT
"""What the magics return: the records of the layers below, together with what the kernel logged meanwhile."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.records.kmsg import KernelLog, KmsgRecord
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import Column, Rows

__all__ = ["BuiltModule", "Loaded", "MachineStatus", "Unloaded", "kernel_log"]


def kernel_log(records: KernelLog | tuple[KmsgRecord, ...] = (), caption: str = "Kernel log") -> KernelLog:
    """Return records as a table of the kernel's log under a heading."""
    return KernelLog(records, caption=caption, columns=KmsgRecord.COLUMNS)


@dataclass(frozen=True, slots=True)
class Loaded(LoadedModule):
    """A module that was just loaded: its row of ``/proc/modules``, and more.

    Attributes:
        log: what the kernel logged meanwhile.
    """

    log: KernelLog = field(default_factory=kernel_log)

    @classmethod
    def of(cls, row: LoadedModule, log: KernelLog) -> Loaded:
        """Return a row together with a log."""
        return cls(**{one.name: getattr(row, one.name) for one in dataclasses.fields(LoadedModule)}, log=log)


@dataclass(frozen=True, slots=True)
class Unloaded:
    """Modules that were just unloaded.

    Attributes:
        names: which.
        log: what the kernel logged meanwhile.
    """

    names: tuple[str, ...]
    log: KernelLog


@dataclass(frozen=True, slots=True)
class BuiltModule(ModuleArtifact):
    """The module of a ``%%kmod`` cell, usable wherever a `ModuleArtifact` is.

    Attributes:
        loaded: its row of ``/proc/modules`` and what it logged, if the cell said ``--load``.
    """

    loaded: Loaded | None = None

    @classmethod
    def of(cls, built: ModuleArtifact, loaded: Loaded | None) -> BuiltModule:
        """Return an artifact together with what came of loading it."""
        return cls(**{one.name: getattr(built, one.name) for one in dataclasses.fields(ModuleArtifact)}, loaded=loaded)


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """What the notebook's machine is at the moment.

    Attributes:
        state: ``running``, ``paused``, ``lost``, ``closed`` or ``not started``.
        kernel: the release that it runs, or is to run.
        accelerator: ``tcg`` or ``kvm``.
        memory: MiB.
        cpus: number of virtual processors.
        uptime: seconds that its kernel has run; None if it does not run now.
        modules: the modules that were loaded since it is yours, newest first.
        taints: the letters of the kernel's taint flags.
        pid: the process id of its QEMU, or None.
    """

    state: str
    kernel: str
    accelerator: str
    memory: int
    cpus: int
    uptime: float | None = None
    modules: tuple[str, ...] = ()
    taints: str = ""
    pid: int | None = None

    def fields(self) -> list[tuple[str, str]]:
        """Return what is shown, as pairs of label and text."""
        shown = [
            ("state", self.state),
            ("kernel", self.kernel),
            ("hardware", f"{self.cpus} processors, {self.memory} MiB, {self.accelerator}"),
        ]
        if self.uptime is not None:
            shown += [
                ("up for", f"{self.uptime:.0f} s, the boot before it was frozen included"),
                ("your modules", ", ".join(self.modules) or "none"),
                ("tainted", self.taints or "no"),
            ]
        return shown

    def __str__(self) -> str:
        return "\n".join(f"{label + ':':<14}{text}" for label, text in self.fields())

    def _repr_html_(self) -> str:
        rows = [_Field(label, text) for label, text in self.fields()]
        return Rows(rows, caption="The machine", columns=_Field.COLUMNS)._repr_html_()


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    text: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("name", "field"), Column("text", "value"))
