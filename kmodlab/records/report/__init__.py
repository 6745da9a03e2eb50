# SPDX-License-Identifier: MIT
"""Reports of faults in the kernel's log: oopses, warnings, lockups, sanitizers, lock checks and the like.

Titles are worded as kernel triage words them, with the function to blame: ``WARNING in foo``,
``KASAN: use-after-free Read in foo``, ``possible deadlock in foo``. One is shorter than there: a bad pointer to
address 0 and near it is ``NULL pointer dereference in foo``.
"""

from __future__ import annotations

from kmodlab.records.report.parse import parse_reports
from kmodlab.records.report.record import Frame, Related, Report, Where

__all__ = ["Frame", "Related", "Report", "Where", "parse_reports"]
