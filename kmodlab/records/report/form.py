# SPDX-License-Identifier: MIT
"""What the kinds of reports have in common: a first line, a title, and where to look for the function to blame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Form", "Search", "form"]

Search = Literal["fault", "wait", "hang", "lock", "leak", "text"]
"""How the function to blame is found: where it happened; who waits; what was interrupted; who took the lock; who
allocated; or not in a trace at all, since the first line says it."""


@dataclass(frozen=True, slots=True)
class Form:
    """One line by which the kernel names a fault.

    Attributes:
        kind: of the report; may hold ``{name}`` of a group of the pattern.
        pattern: matches the line from its start.
        title: of the report, with ``{function}`` and groups of the pattern; that of the next lower form if empty.
        rank: of two forms in one report the higher one names it.
        begins: false for a line that only says more of a report that another line begins.
        follows: true if it goes on with a report that has begun just before, rather than beginning another.
        search: how the function to blame is found.
        access: of memory, where the form itself says it.
        loud: true if the kernel writes it at level ``warning`` or a worse one, so that a quieter line is none.
    """

    kind: str
    pattern: re.Pattern[str]
    title: str
    rank: int = 50
    begins: bool = True
    follows: bool = False
    search: Search = "fault"
    access: str = ""
    loud: bool = True


def form(
    kind: str,
    pattern: str,
    title: str,
    *,
    rank: int = 50,
    begins: bool = True,
    follows: bool = False,
    search: Search = "fault",
    access: str = "",
    loud: bool = True,
) -> Form:
    """Return a form; see `Form`."""
    return Form(kind, re.compile(pattern), title, rank, begins, follows, search, access, loud)
