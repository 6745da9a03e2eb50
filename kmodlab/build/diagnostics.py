# SPDX-License-Identifier: MIT
"""What the tools of a build had to say, as records: a place, a severity, a sentence, and a hint for beginners."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kmodlab.build.source import ModuleSource

__all__ = ["Diagnostic", "Severity", "Tool", "as_seen", "summary"]

Severity = Literal["error", "warning", "note"]
Tool = Literal["gcc", "as", "ld", "objtool", "modpost", "make", "kmodlab"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that a tool of the build said.

    Attributes:
        file: as the learner knows it; empty if it is about no file.
        line: counted from 1, in a cell by the cell's own lines; None if it is about no line.
        column: the character in that line, counted from 1; None if unknown.
        severity: ``error``, ``warning`` or ``note`` (which belongs to the one before it).
        message: the tool's own words.
        option: the compiler option that it belongs to, e.g. ``-Wunused-variable``; empty if none.
        source: the text of that line, tabs expanded; empty if unknown.
        caret: what goes below that text to mark the place; empty if unknown.
        tool: which tool said it.
        hint: what it means and what to do, in one plain sentence; empty if nothing certain can be said.
    """

    file: str
    line: int | None
    column: int | None
    severity: Severity
    message: str
    option: str = ""
    source: str = ""
    caret: str = ""
    tool: Tool = "gcc"
    hint: str = ""

    @property
    def where(self) -> str:
        """``file:line:column``, as far as it is known."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the fields as JSON has them."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        option = f" [{self.option}]" if self.option else ""
        lines = [f"{place}{self.severity}: {self.message}{option}"]
        if self.source.strip():
            lines.append(f"{self.line or '':>5} | {self.source}")
            if self.caret:
                lines.append(f"      | {self.caret}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


def as_seen(diagnostics: Iterable[Diagnostic], source: ModuleSource) -> tuple[Diagnostic, ...]:
    """Return the diagnostics with the build's files and lines replaced by those that the learner knows."""

    def move(diagnostic: Diagnostic) -> Diagnostic:
        file, line = source.place(diagnostic.file, diagnostic.line)
        return dataclasses.replace(diagnostic, file=file, line=line)

    return tuple(map(move, diagnostics))


def summary(name: str, diagnostics: Sequence[Diagnostic]) -> str:
    """Return the message of a build that failed: its first error whole, and how many more there are."""
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    if not errors:
        return f"build {name}: it failed and no tool said why; look at the error's .output"
    # gcc only warns of a quote that is never closed; the errors that follow speak of lines that are in order.
    quote = next(
        (diagnostic for diagnostic in diagnostics if diagnostic.message.startswith("missing terminating")), None
    )
    first, more = quote or errors[0], len(errors) - (quote is None)
    head, _, rest = str(first).partition("\n")
    lines = [f"build {name}: {head}", *([rest] if rest else [])]
    if more:
        lines.append(f"and {more} more {'error' if more == 1 else 'errors'}; the first often causes the others")
    return "\n".join(lines)
