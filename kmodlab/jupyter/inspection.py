# SPDX-License-Identifier: MIT
"""What Shift+Tab and the pointer show in a cell of C: IPython knows no C, so its Jupyter kernel is asked here first."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from kmodlab.errors import KmodlabError
from kmodlab.jupyter.excerpts import glance
from kmodlab.jupyter.ksource import with_comment
from kmodlab.jupyter.lab import Lab

__all__ = ["CELL", "included", "inspect", "register", "unregister", "word_at"]

CELL = re.compile(r"\s*%%kmod\b[^\n]*\n")
"""The first line of a cell that holds a module."""
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>\n]+)>", re.MULTILINE)


def word_at(code: str, position: int) -> str:
    """Return the name of C that a position touches, or an empty text; of a call that is open before it, its name."""
    for found in re.finditer(r"[A-Za-z_]\w*", code):
        if found.start() <= position <= found.end():
            return found[0]
    before, closed = code[:position], 1
    while closed and (bracket := re.search(r"[();{}][^();{}]*\Z", before)) and bracket[0][0] in "()":
        closed += 1 if bracket[0][0] == ")" else -1
        before = before[: bracket.start()]
    call = re.search(r"([A-Za-z_]\w*)\s*\Z", before)
    return call[1] if call and not closed else ""


def included(code: str) -> list[str]:
    """Return the headers that a cell includes."""
    return _INCLUDE.findall(code)


def inspect(lab: Lab, code: str, position: int) -> dict[str, Any] | None:
    """Return what the kernel's headers say of the name at a position, as a mime bundle; None where it is not ours.

    Nothing is built or fetched for it: without an index there is nothing to say.

    Args:
        lab: the session's.
        code: the whole cell.
        position: in characters.
    """
    magic = CELL.match(code)
    reference = lab.reference() if magic and position >= magic.end() else None
    name = word_at(code, position)
    found = reference.find(name, included=included(code)) if reference and name else ()
    return glance(with_comment(lab, found[0]))._repr_mimebundle_() if found else None


def register(shell: Any, lab: Lab) -> None:
    """Let the session's Jupyter kernel answer so; a terminal has none.

    What it is asked for everything else goes to its own method. IPython has no hook for this: what it asks of its
    session is a name alone, without the cell.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None or "do_inspect" in vars(kernel):
        return
    theirs = kernel.do_inspect

    def do_inspect(code: str, cursor_pos: int, *rest: Any, **more: Any) -> Any:
        data = None
        # A hover must never fail: without an index there is just nothing to show.
        with contextlib.suppress(KmodlabError, OSError):
            data = inspect(lab, code, cursor_pos)
        if data is None:
            return theirs(code, cursor_pos, *rest, **more)
        return {"status": "ok", "found": True, "data": data, "metadata": {"kmodlab": True}}

    kernel.do_inspect = do_inspect


def unregister(shell: Any) -> None:
    """Let the Jupyter kernel answer for itself again."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        vars(kernel).pop("do_inspect", None)
