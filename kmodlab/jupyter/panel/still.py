# SPDX-License-Identifier: MIT
"""The panel as it was when it was shown: for pages where no code runs, such as nbconvert's and code-hosting sites'."""

from __future__ import annotations

from kmodlab.jupyter.display import View, note
from kmodlab.jupyter.panel.feed import Feed
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.jupyter.results import MachineStatus, kernel_log
from kmodlab.machine.machine import State

__all__ = ["still"]

_LINES = 20


def still(subject: Subject, feed: Feed) -> View:
    """Return the machine, its modules and the end of its log as they are now."""
    facts = subject.facts()
    vm, seen = subject.current, feed.glance
    ours = tuple(row.name for row in seen.modules if "O" in row.taints) if seen else ()
    status = MachineStatus(
        str(facts["state"]), str(facts["kernel"]) or "not chosen yet", str(facts["accelerator"]) or "not chosen yet",
        int(str(facts["memory"])), int(str(facts["cpus"])),
        seen.uptime if seen else None, ours, seen.taints if seen else "", vm.pid if vm else None,
    )  # fmt: skip
    view = View(status._repr_html_(), str(status))
    if vm and vm.state is not State.NEW and (log := vm.dmesg()[-_LINES:]):
        end = kernel_log(tuple(log), f"Kernel log, its last {len(log)} lines")
        view += View(end._repr_html_(), str(end))
    return view + note("This is the panel as it was when the cell ran; run the cell in JupyterLab for the live one.")
