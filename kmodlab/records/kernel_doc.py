# SPDX-License-Identifier: MIT
"""The kernel's documentation comments (``Documentation/doc-guide/kernel-doc.rst``) as records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

__all__ = ["KernelDoc"]

_PARAMETER = re.compile(r"@([\w.\[\]*]+(?:\.\.\.)?):\s*(.*)")
_BRIEF = re.compile(r"(?:(?:struct|union|enum|typedef)\s+)?(\w+)(?:\([^)]*\))?\s*(?:-|:|$)\s*(.*)")
_DL = '<dl style="display:grid;grid-template-columns:max-content 1fr;gap:.1em .8em;margin:.3em 0">'
_DD = '<dd style="margin:0">'
_ROLE = re.compile(r":\w+(?::\w+)?:`([^`<]+?)\s*(?:<[^>`]*>)?`")
_MARKED = re.compile(r"(?:%|&(?:struct |enum |union )?|@)(\w+)|\b(\w+\(\))")


@dataclass(frozen=True, slots=True)
class KernelDoc:
    """What a comment says.

    Attributes:
        brief: the sentence after the name.
        parameters: names of parameters or members, each with what is said of it.
        text: the paragraphs, an empty line between them; of a plain comment all of it.
    """

    brief: str
    parameters: tuple[tuple[str, str], ...]
    text: str

    @classmethod
    def parse(cls, comment: str) -> KernelDoc:
        """Read a comment with its marks; a plain one (``/* … */``) has only text."""
        bare = _ROLE.sub(r"\1", re.sub(r"^\s*/\*+|\*+/\s*$", "", comment))
        lines = [re.sub(r"^\s*\*? ?", "", line) for line in bare.split("\n")]
        lines = [line.rstrip() for line in lines]
        while lines and not lines[0]:
            lines.pop(0)
        first = _BRIEF.fullmatch(lines[0]) if lines and comment.lstrip().startswith("/**") else None
        if first is None:
            return cls("", (), "\n".join(lines).strip())
        brief, rest = _more(first[2], lines[1:])
        return cls(brief, *_body(rest))

    def html(self) -> str:
        """Return it for a page, everything escaped."""
        parts = [f"<p>{_marked(self.brief)}</p>"] if self.brief else []
        rows = (f"<dt><code>{escape(name)}</code></dt>{_DD}{_marked(said)}</dd>" for name, said in self.parameters)
        parts += [f"{_DL}{''.join(rows)}</dl>"] if self.parameters else []
        parts += [_paragraph(one) for one in re.split(r"\n\s*\n", self.text) if one.strip()]
        return "".join(parts)

    def __str__(self) -> str:
        rows = [f"  {name}: {said}" for name, said in self.parameters]
        return "\n\n".join(part for part in (self.brief, "\n".join(rows), self.text) if part)


def _more(brief: str, lines: list[str]) -> tuple[str, list[str]]:
    """The brief sentence, which may go on until an empty line or a parameter, and the lines behind it."""
    for number, line in enumerate(lines):
        if not line or line.lstrip().startswith("@"):
            return brief, lines[number:]
        brief = f"{brief} {line.strip()}"
    return brief, []


def _body(lines: list[str]) -> tuple[tuple[tuple[str, str], ...], str]:
    parameters: list[list[str]] = []
    text: list[str] = []
    inside = False
    for line in lines:
        found = _PARAMETER.match(line.strip())
        if found:
            parameters.append([found[1], found[2]])
            inside = True
        elif inside and line.strip():
            parameters[-1][1] += f" {line.strip()}"
        else:
            inside = False
            text.append(line)
    return tuple((name, said.strip()) for name, said in parameters), "\n".join(text).strip("\n")


def _paragraph(text: str) -> str:
    """A paragraph, its lines as they stand where they are a list or set off."""
    laid_out = re.search(r"^(?:\s|[-*] |\d+\. )", text, re.MULTILINE)
    style = ' style="white-space:pre-wrap;tab-size:4"' if laid_out else ""
    return f"<p{style}>{_marked(text)}</p>"


def _marked(text: str) -> str:
    """Escaped text with names of the kernel as code."""
    parts, end = [], 0
    for found in _MARKED.finditer(text):
        parts += [escape(text[end : found.start()]), f"<code>{found[1] or found[2]}</code>"]
        end = found.end()
    return "".join([*parts, escape(text[end:])])
