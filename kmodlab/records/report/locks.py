# SPDX-License-Identifier: MIT
"""Reports of the lock validator and of RCU's checks: ``kernel/locking/lockdep.c``, ``lib/locking-*``.

Up to 4.11 the first line was ``[ INFO: possible recursive locking detected ]``, since then it is
``WARNING: possible recursive locking detected``; a few still wear brackets.
"""

from __future__ import annotations

from kmodlab.records.report.form import Form, form

__all__ = ["FORMS"]


def _lockdep(kind: str, words: str, title: str) -> Form:
    return form(kind, rf"(?:WARNING: |\[ (?:BUG|INFO|WARNING): |BUG: |INFO: ){words}", title, rank=85, search="lock")


FORMS = (
    _lockdep(
        "deadlock",
        r"(?:possible (?:recursive locking|circular locking dependency|irq lock inversion dependency) detected"
        r"|possible circular locking dependency|possible irq lock inversion)",
        "possible deadlock in {function}",
    ),
    _lockdep("deadlock", r"\S{4,12}-safe -> \S{4,12}-unsafe lock order detected", "possible deadlock in {function}"),
    _lockdep("inconsistent-lock", r"inconsistent lock state", "inconsistent lock state in {function}"),
    _lockdep("wait-context", r"[Ii]nvalid wait context", "WARNING: locking bug in {function}"),
    _lockdep(
        "unlock-balance", r"bad (?:contention )?unlock balance detected", "WARNING: bad unlock balance in {function}"
    ),
    _lockdep("freed-lock", r"held lock freed", "WARNING: held lock freed in {function}"),
    _lockdep("unlock-balance", r"bad contention detected", "WARNING: bad unlock balance in {function}"),
    _lockdep("nested-lock", r"Nested lock was not taken", "WARNING: nested lock was not taken in {function}"),
    _lockdep(
        "kept-lock",
        r"lock held when returning to user space",
        "WARNING: lock held when returning to user space in {function}",
    ),
    _lockdep("kept-lock", r"\S{1,40} still has locks held", "WARNING: still has locks held in {function}"),
    _lockdep("rcu-usage", r"suspicious RCU usage", "WARNING: suspicious RCU usage in {function}"),
    form(
        "rcu-usage",
        r"suspicious_rcu_usage|WARNING: suspicious RCU",
        "WARNING: suspicious RCU usage in {function}",
        rank=84,
        search="lock",
    ),
    form(
        "uninitialised-lock",
        r"INFO: trying to register non-static key",
        "INFO: trying to register non-static key in {function}",
        rank=80,
        search="lock",
    ),
    form(
        "lock-usage",
        r"DEBUG_LOCKS_WARN_ON\(|DEBUG_RWSEMS_WARN_ON\(|releasing a pinned lock|pvqspinlock: lock",
        "WARNING: locking bug in {function}",
        rank=70,
        begins=False,
        search="lock",
    ),
)
