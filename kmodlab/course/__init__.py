# SPDX-License-Identifier: MIT
"""The course: its notebooks, run headless; its exercises, their checks, and what answers are worth."""

from __future__ import annotations

from kmodlab.course.checks import check, fail
from kmodlab.course.trial import Call, Trial

__all__ = ["Call", "Trial", "check", "fail"]
