# SPDX-License-Identifier: MIT
"""Talking with what runs inside a machine: the frames, the channel they go through, and plain calls over it."""

from __future__ import annotations

from kmodlab.guest.channel import Channel, TaskResult
from kmodlab.guest.session import CommandResult, LoadResult, Session

__all__ = ["Channel", "CommandResult", "LoadResult", "Session", "TaskResult"]
