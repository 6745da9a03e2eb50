# SPDX-License-Identifier: MIT
"""Reports of what does not come to an end: ``kernel/{hung_task,watchdog,watchdog_hld}.c``, ``kernel/rcu``."""

from __future__ import annotations

from kmodlab.records.report.form import form

__all__ = ["FORMS"]

FORMS = (
    form(
        "hung-task",
        r"INFO: task .{1,40}:[0-9]+ (?:<.{0,40}> )?(?:blocked(?: in I/O wait| on a \S+)? for more than [0-9]+|is "
        r"blocked on)",
        "INFO: task hung in {function}",
        rank=80,
        search="wait",
    ),
    form(
        "hung-task",
        r"INFO: task .{1,40}:[0-9]+ can't die for more than",
        "INFO: task can't die in {function}",
        rank=80,
        search="wait",
    ),
    form(
        "soft-lockup",
        r"(?:NMI )?(?:watchdog: )?BUG: soft lockup - CPU#",
        "BUG: soft lockup in {function}",
        rank=80,
        search="hang",
    ),
    form(
        "hard-lockup",
        r"(?:NMI )?(?:watchdog: )?(?:Watchdog detected hard LOCKUP on cpu|BUG: hard lockup)",
        "BUG: hard lockup in {function}",
        rank=80,
        search="hang",
    ),
    form(
        "rcu-stall",
        r"(?:rcu: )?INFO: (?:rcu_\w+|rcu \w+)?.{0,20}?(?:self-)?detected (?:expedited )?stalls? on CPU",
        "INFO: rcu detected stall in {function}",
        rank=80,
        search="hang",
    ),
    form("workqueue-lockup", r"BUG: workqueue lockup", "BUG: workqueue lockup", rank=80, search="text"),
)
