# SPDX-License-Identifier: MIT
"""How errors and interrupts end a cell: with one sentence and what belongs to it, never with a Python traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from kmodlab.errors import HostSetupError, ImageError, KmodlabError, SandboxError
from kmodlab.jupyter.display import details, headline, note, show

if TYPE_CHECKING:
    from kmodlab.jupyter.lab import Lab

__all__ = ["expecting", "explain_interrupt", "plain", "register", "unregister"]

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

_NOT_THE_LEARNERS = (HostSetupError, ImageError, SandboxError)
"""Nobody expects these when they write a lesson about an error."""


def register(shell: Any, lab: Lab) -> None:
    """Let the session show kmodlab's errors, also those of plain Python cells, with what they carry."""

    def handler(
        shell: Any, kind: type[BaseException], error: KmodlabError, trace: TracebackType, tb_offset: int | None = None
    ) -> list[str]:
        view = details(error, output=error is not lab.streamed)
        if view:
            show(view)
        lines = [f"{kind.__name__}: {headline(error)}"]
        shell._showtraceback(kind, error, lines)
        return lines

    shell.set_custom_exc((KmodlabError,), handler)


def unregister(shell: Any) -> None:
    """Let IPython show errors its own way again."""
    shell.set_custom_exc((), None)


def plain(error: E, text: str = "") -> E:
    """Return an error that a notebook shows as one sentence instead of a traceback."""
    lines = [f"{type(error).__name__}: {text or error}"]
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error


def expecting(wanted: bool, verb: str, action: Callable[[], T]) -> T | KmodlabError:
    """Do something, and if an error is wanted, return that error instead.

    Raises:
        AssertionError: an error is wanted and none came.
    """
    if not wanted:
        return action()
    try:
        action()
    except _NOT_THE_LEARNERS:
        raise
    except KmodlabError as error:
        show(note("This failed, as expected:"))
        return error
    raise plain(AssertionError(f"{verb} --expect-error: no error came; take the option away, or see what changed"))


@contextlib.contextmanager
def explain_interrupt(verb: str, lab: Lab) -> Iterator[None]:
    """Say in one sentence what an interrupt in this block has left behind."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise plain(interrupt, f"{verb} was interrupted; {lab.outlook()}") from None
