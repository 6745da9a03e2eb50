# SPDX-License-Identifier: MIT
"""What a C file of the kernel declares and defines at its top level: names, kinds and lines, without a compiler.

The kernel's headers are regular enough for it. What is too strange to be read is left out, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from kmodlab.records.conditions import Branches

__all__ = ["Declaration", "Kind", "scan"]

Kind = Literal[
    "function", "prototype", "macro", "struct", "union", "enum", "enumerator", "typedef", "variable", "include"
]

_TOKENS = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<directive>^[ \t]*\#(?:/\*.*?\*/|\\\r?\n|[^\n])*)
      | (?P<mark>[{};])""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)", re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LINES = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
_ATTRIBUTE = re.compile(
    r"\b(?:__attribute__|__attribute|__printf|__scanf|__aligned|__alloc_size|__section|__acquires|__releases|__must_hold"
    r"|__cond_acquires|__cond_lock|__assume_aligned|__nonnull|__diagnose_as|__alias|__counted_by\w*)\s*"
    r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
)
_TYPE = re.compile(
    r"\s*(?P<typedef>typedef\s+)?(?P<kind>struct|union|enum)\b(?:\s+__\w+)*?\s*(?P<name>\w*)(?:\s+__\w+)*\s*\{"
)
_FUNCTION = re.compile(r"(?P<before>[\w\s*]*[\s*])(?P<name>[A-Za-z_]\w*)\s*\(")
_POINTER = re.compile(r"\(\s*\*\s*(\w+)\s*(?:\[[^]]*\]\s*)?\)\s*\(")
_LAST = re.compile(r"(\w+)\s*(?:\[[^;]*\])?\s*;?\s*$")
_TAIL = re.compile(
    r"\b(?:__packed|__percpu|__read_mostly|__ro_after_init|__initdata|__refdata|__visible|__weak|_*cacheline_aligned\w*)\b"
)
_ENUMERATOR = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)\s*(?=[=,]|$)", re.MULTILINE)
_BODY_FOLLOWS = re.compile(r"\)[\w\s]*$")
_NOT_A_TYPE = {"return", "else", "do", "case", "goto"}


@dataclass(frozen=True, slots=True)
class Declaration:
    """One name that a file declares.

    Attributes:
        name: the name.
        kind: what it is: a ``function`` has its body here, a ``prototype`` has not; an ``include`` has the name of a
            header in angle brackets.
        line: on which it begins, from 1.
        end: its last line.
        doc: the first line of the comment right above it; 0 if there is none.
    """

    name: str
    kind: Kind
    line: int
    end: int
    doc: int = 0


def scan(text: str, config: Mapping[str, str] = MappingProxyType({})) -> Iterator[Declaration]:
    """Yield what a C file declares, in its order, without what the configuration surely leaves out.

    Args:
        text: of the file.
        config: the kernel's symbols, as `parse_config` returns them.
    """
    return _Scanner(text, config).run()


class _Scanner:
    def __init__(self, text: str, config: Mapping[str, str]) -> None:
        self.text = text
        self.branches = Branches(config)
        self.depth = 0
        self.start = -1  # where the item that is being read begins; -1 between items
        self.end = 0  # where what was read last ends
        self.body = -1  # where the outermost brace of the item stands
        self.comment: tuple[int, int] | None = None
        self._counted = (0, 1)

    def run(self) -> Iterator[Declaration]:
        for found in _TOKENS.finditer(self.text):
            kind = found.lastgroup
            if kind == "directive":
                yield from self._directive(found)
                continue
            if not self.branches.active:
                self.end = found.end()
                continue
            if self.start < 0:
                self._begin(found.start())
            if kind == "comment":
                if self.start < 0:
                    self.comment, self.end = found.span(), found.end()
            elif kind == "mark":
                yield from self._mark(found)

    def _begin(self, limit: int) -> None:
        """Let an item begin at the first text since what was read last, if there is any."""
        between = self.text[self.end : limit]
        stripped = between.lstrip()
        if stripped:
            self.start = limit - len(stripped)

    def _mark(self, found: re.Match[str]) -> Iterator[Declaration]:
        mark = found[0]
        if mark == "{":
            if self.depth == 0 and self.body < 0:
                if self.start < 0 or self.text[self.start : found.start()].lstrip().startswith('extern "C"'):
                    return self._over(found.end())
                self.body = found.start()
            self.depth += 1
            return iter(())
        if mark == "}":
            if self.depth == 0:
                return self._over(found.end())
            self.depth -= 1
            if self.depth == 0 and self._is_function():
                return self._item(found.end())
            return iter(())
        return self._item(found.end()) if self.depth == 0 and self.start >= 0 else iter(())

    def _over(self, end: int) -> Iterator[Declaration]:
        """Forget what was begun: it is not an item."""
        self.start, self.body, self.comment, self.end = -1, -1, None, end
        return iter(())

    def _is_function(self) -> bool:
        head = _ATTRIBUTE.sub(" ", _COMMENT.sub(" ", self.text[self.start : self.body]))
        return bool(_BODY_FOLLOWS.search(head)) and "=" not in head.partition("(")[0]

    def _item(self, end: int) -> Iterator[Declaration]:
        start, body, doc = self.start, self.body, self._doc(self.start)
        self._over(end)
        whole = self.text[start:end]
        head = whole if body < 0 else self.text[start : body + 1]
        place = (self._line(start), self._line(end - 1), doc)
        yield from _named(_plain(head), _plain(whole) if body >= 0 else "", place)

    def _directive(self, found: re.Match[str]) -> Iterator[Declaration]:
        parts = _DIRECTIVE.match(found[0])
        word, rest = (parts[1], parts[2]) if parts else ("", "")
        active = self.branches.active
        self.branches.directive(word, _COMMENT.sub(" ", rest) if word in {"if", "elif", "ifdef", "ifndef"} else rest)
        if self.start < 0 and active:
            self._begin(found.start())
        if self.start >= 0 and self.depth == 0 and not self.text[self.start : found.start()].strip():
            self.start = -1
        name = re.match(r"\w+", rest) if word == "define" and active else None
        if word == "include" and active and (header := re.match(r"<([^>]+)>", rest)):
            line = self._line(found.start())
            yield Declaration(header[1], "include", line, line)
        if name and self.depth == 0:
            # A macro in the middle of something else is part of that.
            doc = self._doc(found.start()) if self.start < 0 else 0
            yield Declaration(name[0], "macro", self._line(found.start()), self._line(found.end()), doc)
        if self.start < 0:
            self.comment, self.end = None, found.end()

    def _doc(self, start: int) -> int:
        """The line on which the comment right above a place begins; 0 if there is none."""
        if self.comment is None:
            return 0
        first, last = self.comment
        between = self.text[last:start]
        near = between.count("\n") <= (2 if self.text.startswith("/**", first) else 1)
        return self._line(first) if near and not between.strip() else 0

    def _line(self, position: int) -> int:
        """The number of a line; what is asked for mostly comes in order."""
        at, line = self._counted
        line += self.text.count("\n", at, position) if position >= at else -self.text.count("\n", position, at)
        self._counted = (position, line)
        return line


def _plain(text: str) -> str:
    """A piece of C without comments, directives and attributes."""
    return _TAIL.sub(" ", _ATTRIBUTE.sub(" ", _LINES.sub("", _COMMENT.sub(" ", text))))


def _named(head: str, whole: str, place: tuple[int, int, int]) -> Iterator[Declaration]:
    """What an item declares, by its text up to its body, and all of it where it has one."""
    line, end, doc = place
    if whole and (found := _TYPE.match(head)):
        kind: Kind = found["kind"]  # type: ignore[assignment]
        if found["name"]:
            yield Declaration(found["name"], kind, line, end, doc)
        tail = whole.rpartition("}")[2]
        if found["typedef"] and (last := _LAST.search(tail)):
            yield Declaration(last[1], "typedef", line, end, doc)
        if kind == "enum":
            inside = whole[found.end() : whole.rfind("}")]
            for name in _ENUMERATOR.findall(re.sub(r"\([^()]*\)", "", inside)):
                yield Declaration(name, "enumerator", line, end, doc)
        return
    if head.lstrip().startswith("typedef"):
        name = _POINTER.search(head) or _LAST.search(head)
        if name:
            yield Declaration(name[1], "typedef", line, end, doc)
        return
    function = _FUNCTION.match(head)
    if function and "=" not in head[: function.start("name")] and not _POINTER.match(head, function.start("name")):
        words = function["before"].split()
        if words and words[0] not in _NOT_A_TYPE and not (function["name"].isupper() and not whole):
            yield Declaration(function["name"], "function" if whole else "prototype", line, end, doc)
        return
    if head.lstrip().startswith("extern") and (last := _LAST.search(head.partition("=")[0])):
        yield Declaration(last[1], "variable", line, end, doc)
