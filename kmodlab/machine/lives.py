# SPDX-License-Identifier: MIT
"""The lives of modules, traced from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmodlab.errors import MachineError
from kmodlab.machine.probes import TRACING
from kmodlab.records.lives import Life, parse_lives
from kmodlab.records.table import Rows

if TYPE_CHECKING:
    from kmodlab.machine.machine import Machine

__all__ = ["LifeTrace"]

_INSTANCE = f"{TRACING}/instances/kmodlab-lives"
_EVENTS = (
    *(f"module/module_{what}" for what in ("load", "free", "get", "put")),
    *("initcall/initcall_start", "initcall/initcall_finish"),
    *(f"syscalls/sys_enter_{call}_module" for call in ("init", "finit", "delete")),
)


class LifeTrace:
    """A trace that tells of every module that comes and goes, in a buffer of its own.

    Args:
        vm: a running machine.

    Attributes:
        since: seconds from the kernel's boot to the beginning of the trace.

    Raises:
        MachineError: this kernel cannot trace what is needed.
    """

    def __init__(self, vm: Machine) -> None:
        self._vm = vm
        lines = [f"mkdir -p {_INSTANCE} && cd {_INSTANCE}", "echo boot > trace_clock && : > trace"]
        lines += [f"echo 1 > events/{event}/enable" for event in _EVENTS]
        done = vm.run(" && ".join(lines))
        if done.exit_status:
            said = (done.stderr.strip().splitlines() or ["it gives no reason"])[-1]
            raise MachineError(f"trace modules: {said}; this kernel has no tracing instance to offer")
        self.since = self.uptime

    @property
    def lives(self) -> Rows[Life]:
        """The lives of modules until now."""
        return parse_lives(self._vm.check(f"cat {_INSTANCE}/trace").stdout)

    @property
    def uptime(self) -> float:
        """Seconds since the kernel was booted, now."""
        return float(self._vm.check("cat /proc/uptime").stdout.split()[0])
