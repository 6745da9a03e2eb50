# SPDX-License-Identifier: MIT
"""A cell as its reader sees it: its number, its lines, and that it may be no more than its first line."""

from __future__ import annotations

from typing import Any

__all__ = ["keep_empty_body", "place_of"]


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


def keep_empty_body(lines: list[str]) -> list[str]:
    """Let a cell that is only the line of one of our cell magics reach it: IPython refuses an empty body itself."""
    words = lines[0].split() if len(lines) == 1 else []
    return [lines[0].rstrip("\n") + "\n", "\n"] if words and words[0] in {"%%kmod", "%%guest", "%%program"} else lines
