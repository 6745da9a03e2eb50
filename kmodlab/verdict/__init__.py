# SPDX-License-Identifier: MIT
"""What is to be said of a module: evidence of a trial → `Verdict`."""

from __future__ import annotations

from kmodlab.verdict.judge import judge, stands_for
from kmodlab.verdict.record import ORDER, Evidence, ExecResult, Finding, Leak, Step, Verdict

__all__ = ["ORDER", "Evidence", "ExecResult", "Finding", "Leak", "Step", "Verdict", "judge", "stands_for"]
