# SPDX-License-Identifier: MIT
"""Members of structures in C: which ones there are, and of which structure one is being written.

What cannot be told without a compiler is left out, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["members", "members_at"]

_NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|^[ \t]*#(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE)
_TEXTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
_ATTRIBUTE = re.compile(r"\b__\w+\s*\((?:[^()]|\([^()]*\))*\)|\b____?cacheline_aligned\w*")
_GROUP = re.compile(r"\bstruct_group\w*\s*\(\s*(?:\w+\s*,\s*)?")
_POINTER = re.compile(r"\(\s*\*\s*(?:const\s+)?(\w+)\s*(?:\[[^]]*\]\s*)?\)")
_LAST = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?::[^:]*)?$")
_NESTED = re.compile(r"\s*(?:struct|union)\b[\w\s]*\{")
_PLACE = re.compile(r"(\w+)((?:\s*\[[^\][]*\])?(?:\s*(?:->|\.)\s*\w+(?:\s*\[[^\][]*\])?)*)\s*(?:->|\.)\s*(\w*)\Z")
_STEP = re.compile(r"(?:->|\.)\s*(\w+)")
_FIELD = re.compile(r"(?:[{,]|^)\s*\.(\w*)\Z")
_INITIALISED = re.compile(r"\bstruct\s+(\w+)\s+\w+\s*(?:\[\w*\]\s*)?=\s*\{")
_CURRENT = {"current": "task_struct", "THIS_MODULE": "module"}
"""Expressions that every module may write, and the structures that they point to."""


def members(code: str) -> dict[str, str]:
    """Return the members of a structure and how each is declared, in their order.

    Those of nameless structures and unions in it are among them.

    Args:
        code: the text of its definition, braces included.
    """
    text = _ATTRIBUTE.sub("", _GROUP.sub("", _NOISE.sub("", code)))
    begin = text.find("{")
    return dict(_of_body(text[begin + 1 : _closing(text, begin)])) if begin >= 0 else {}


def _of_body(body: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(body):
        nested = _NESTED.match(body, place)
        if nested:
            end = _closing(body, nested.end() - 1)
            stop = body.find(";", end)
            named = _LAST.search(body[end + 1 : stop].strip())
            yield from [(named[1], body[place:end].strip())] if named else _of_body(body[nested.end() : end])
        else:
            stop = body.find(";", place)
            yield from _declared(body[place:stop].strip())
        if stop < 0:
            return
        place = stop + 1


def _declared(text: str) -> Iterator[tuple[str, str]]:
    """The names of one declaration, such as ``struct list_head a, *b``."""
    one_line = " ".join(text.split())
    if pointer := _POINTER.search(text):
        yield pointer[1], one_line
        return
    for part in text.split(","):
        if named := _LAST.search(part.strip()):
            yield named[1], one_line


def _closing(text: str, begin: int) -> int:
    """Where the brace that opens at a place is closed; the end of the text if it is not."""
    depth = 0
    for found in re.finditer(r"[{}]", text[begin:]):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return begin + found.start()
    return len(text)


def members_at(code: str, position: int, define: Callable[[str], str]) -> tuple[str, dict[str, str]] | None:
    """Return the beginning of a member's name before a position, and the members that may stand there.

    That is behind ``file->`` and ``inode.``, and behind a dot where a structure is initialised. None elsewhere; no
    members where the structure cannot be told.

    Args:
        code: the whole of the source.
        position: in characters.
        define: gives the text of the definition of a structure by its name, or an empty one.
    """
    before = _TEXTS.sub("0", _NOISE.sub("", code[:position]))

    def known(tag: str) -> dict[str, str]:
        own = re.search(rf"\bstruct\s+{tag}\s*\{{", code) if tag else None
        return members(code[own.start() :] if own else define(tag)) if tag else {}

    if field := _FIELD.search(before):
        given = list(_INITIALISED.finditer(before))
        inside = before[given[-1].end() :] if given else ""
        found = known(given[-1][1]) if given and inside.count("{") == inside.count("}") else {}
    elif field := _PLACE.search(before):
        if field[1].isdigit():
            return None
        found = known(_CURRENT.get(field[1]) or _tag_of(field[1], before))
        for step in _STEP.findall(field[2]):
            tag = re.match(r"(?:const\s+)?struct\s+(\w+)", found.get(step, ""))
            found = known(tag[1] if tag else "")
    else:
        return None
    word = field[field.re.groups]
    return word, {name: text for name, text in found.items() if name.startswith(word)}


def _tag_of(name: str, before: str) -> str:
    """The structure that a variable or argument is, or points to, by its last declaration."""
    declared = rf"\bstruct\s+(\w+)[\s*]+(?:(?:const|__\w+)[\s*]+)*(?:\w+\s*,[\s*]*)*{name}\b"
    found = re.findall(declared, before)
    return str(found[-1]) if found else ""
