# SPDX-License-Identifier: MIT
"""Which sources are of a shape that the quick way knows: one C file, or a few that make one module."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kmodlab.build.source import ModuleSource

__all__ = ["Part", "leading_block", "parts_of"]

_REMARK = r"[ \t]*(?:/\*(?:[^*\n]|\*(?!/))*\*/[ \t]*)?(?://[^\n\\]*)?(?:\n|\Z)"
_BLOCK = re.compile(
    r"[ \t]*(?P<code>\#[ \t]*(?:include[ \t]*<[^>\n]+>|define[ \t]+\w+(?:\([^)\n]*\))?[^\n\\/]*))"
    rf"{_REMARK}|{_REMARK}|[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n"
)
_LATER = re.compile(rb"CREATE_TRACE_POINTS|__COUNTER__|#[ \t]*pragma")
_MOST = 6  # files of one module: each may need a precompiled header of its own
_SETS = (":=", "+=", "=")


@dataclass(frozen=True, slots=True)
class Part:
    """One C file of a module.

    Attributes:
        file: its name, without ``.c``.
        block: its leading block.
        lines: how many lines that has.
    """

    file: str
    block: str
    lines: int


def parts_of(source: ModuleSource) -> tuple[Part, ...]:
    """Return the C files of which a source makes one module, in the Kbuild's order; none if its shape is another."""
    files = _files(source)
    c_files = {name for name in source.files if name.endswith((".c", ".S", ".o", ".o_shipped"))}
    if c_files != {f"{file}.c" for file in files} or any(_LATER.search(one) for one in source.files.values()):
        return ()
    try:
        parts = tuple(Part(file, *leading_block(source.files[f"{file}.c"].decode())) for file in files)
    except UnicodeDecodeError:
        return ()
    return parts if all(part.block for part in parts) else ()


def _files(source: ModuleSource) -> tuple[str, ...]:
    """The names, without ``.c``, that a Kbuild gives if it says nothing else; none otherwise."""
    kbuild = [source.files[name] for name in ("Kbuild", "Makefile") if name in source.files]
    if len(kbuild) != 1 or not re.fullmatch(r"\w+", source.name):
        return ()
    lines = [line.split("#")[0].split() for line in kbuild[0].decode(errors="replace").splitlines()]
    said = [words for words in lines if words]
    if not said or len(said[0]) != 3 or said[0][1] not in _SETS or said[0][::2] != ["obj-m", f"{source.name}.o"]:
        return ()
    if len(said) == 1:
        return (source.name,)
    name, how, *objects = said[1] if len(said) == 2 and len(said[1]) > 3 else ("", "")
    files = [match[1] for match in (re.fullmatch(r"(\w+)\.o", word) for word in objects) if match]
    known = name in {f"{source.name}-y", f"{source.name}-objs"} and how in _SETS and len(files) == len(objects) <= _MOST
    return tuple(files) if known and len(set(files)) == len(files) and source.name not in files else ()


def leading_block(text: str) -> tuple[str, int]:
    """Return the includes and macros with which a C file begins, comments left out, and the number of their lines.

    The block ends with its last include by ``<...>``; it is empty if the file begins with anything else.
    """
    found: list[str] = []
    at = last = end = 0
    while (match := _BLOCK.match(text, at)) and match.end() > at:
        at = match.end()
        if code := match["code"]:
            found.append(code.strip())
            if "include" in code.partition("<")[0]:
                last, end = len(found), at
    return "".join(f"{line}\n" for line in found[:last]), text.count("\n", 0, end)
