# SPDX-License-Identifier: MIT
"""The panel as it was when it was shown: for pages where no code runs, such as nbconvert's and code-hosting sites'."""

from __future__ import annotations

from kmodlab.jupyter.display import View, note
from kmodlab.jupyter.panel.glance import glance_now
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.jupyter.results import MachineStatus, kernel_log
from kmodlab.machine.machine import State
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import Rows

__all__ = ["still"]

_LINES = 20


def still(subject: Subject) -> View:
    """Return the machine, its modules and the end of its log as they are now."""
    facts, vm = subject.facts(), subject.current
    seen = glance_now(vm) if vm and vm.state is State.RUNNING else None
    ours = [row for row in seen.modules if "O" in row.taints or row.name in subject.modules] if seen else []
    status = MachineStatus(
        state=str(facts["state"]),
        kernel=str(facts["kernel"]) or "not chosen yet",
        accelerator=str(facts["accelerator"]) or "accelerator not chosen yet",
        memory=int(str(facts["memory"])),
        cpus=int(str(facts["cpus"])),
        uptime=seen.uptime if seen else None,
        modules=tuple(row.name for row in ours),
        taints=seen.taint.letters if seen else "",
        pid=vm.pid if vm else None,
    )
    view = View(status._repr_html_(), str(status))
    if ours:
        rows = Rows(ours, caption="Modules of your own", columns=LoadedModule.COLUMNS)
        view += View(rows._repr_html_(), str(rows))
    if vm and vm.state is not State.NEW and (log := vm.dmesg()[-_LINES:]):
        end = kernel_log(tuple(log), f"Kernel log, its last {len(log)} lines")
        view += View(end._repr_html_(), str(end))
    return view + note("This is the panel as it was when the cell ran; run the cell in JupyterLab for the live one.")
