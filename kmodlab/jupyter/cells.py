# SPDX-License-Identifier: MIT
"""The cell that is running, as its reader sees it: its number and its lines."""

from __future__ import annotations

from typing import Any

__all__ = ["place_of"]


def place_of(shell: Any, body: str) -> tuple[str, int]:
    """Return what the running cell is called (``In[3]``) and the line of it on which the text below its magic begins.

    Args:
        shell: the session's ``InteractiveShell``.
        body: that text.
    """
    history = shell.history_manager.input_hist_raw
    raw = history[-1] if history and history[-1].rstrip().endswith(body.rstrip()) else ""
    blank = len(raw[: len(raw) - len(raw.lstrip())].split("\n")) - 1
    return f"In[{shell.displayhook.prompt_count}]", blank + 2
