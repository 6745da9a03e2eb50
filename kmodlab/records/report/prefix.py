# SPDX-License-Identifier: MIT
"""A log from anywhere as plain lines: what consoles, dmesg, journals and CI systems put in front is taken off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kmodlab.records.kmsg import KmsgRecord

__all__ = ["Line", "lines_of"]

_INFO = 6
_LONGEST = 2048
"""More of a line is not read: printk() writes at most 1 KiB in one, and damage and malice must cost no time."""
# One prefix each, at the start of what the one before has left. None can match in two ways, so all stay linear.
_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        r"[\w.-]{1,40} login: ",
        r"(?:\x1b\[[0-9;?]*[A-Za-z]|\r)+",
        r"<(?P<level>[0-9]{1,4})>",
        r"\[ *[0-9]{1,10}\.[0-9]{1,9}(?:@[0-9]+)?\] ?(?:\[ *(?P<caller>[TC][0-9]{1,10})\] ?)?",
        r"[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)? (?:[\w.-]+ )?kernel: ?",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})? ?"
        r"(?:[\w.-]{1,64} kernel: ?)?",
        r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}(?: [0-9]{4})?\] ?",
        r"(?:kern|user|daemon) *:(?P<word>[a-z]+) *: ?",
        r"(?:> ?)+",
        r"\[ *(?P<task>[TC][0-9]{1,10})\] ?",
        r"(?:kernel: )",
    )
)
_WORDS = {"emerg": 0, "alert": 1, "crit": 2, "err": 3, "warn": 4, "notice": 5, "info": 6, "debug": 7}


@dataclass(slots=True)
class Line:
    """A line without its prefixes.

    Attributes:
        number: in the log, from 1.
        text: what the kernel wrote, without white space at the end, and no more than a line of the kernel can hold.
        level: 0 to 7, or None where the log does not say it.
        caller: ``T123`` or ``C0`` where the log says it, else empty.
        record: the line as a record.
    """

    number: int
    text: str
    level: int | None
    caller: str
    record: KmsgRecord


def lines_of(log: str | Iterable[KmsgRecord]) -> Iterator[Line]:
    """Yield the lines of a log, every one, in its order."""
    if isinstance(log, str):
        yield from (_line(number, text) for number, text in enumerate(_split(log), 1))
        return
    records = list(log)
    # A log saved without levels is read as level info throughout: then the level says nothing.
    told = any(record.level != _INFO for record in records)
    for number, record in enumerate(records, 1):
        level = record.level + 8 * record.facility if told or record.facility else None
        yield Line(number, record.text[:_LONGEST].rstrip(), level, record.caller, record)


def _split(log: str) -> Iterator[str]:
    """Yield the lines one after the other, so that a huge log is not held twice."""
    start = 0
    while start < len(log):
        end = log.find("\n", start)
        end = len(log) if end < 0 else end
        yield log[start:end]
        start = end + 1


def _line(number: int, raw: str) -> Line:
    at, level, caller = 0, None, ""
    left = list(_PREFIXES)
    # Each prefix once: what looks like a second one was written by whoever wrote the text.
    while found := next((match for pattern in left if (match := pattern.match(raw, at)) and match.end() > at), None):
        left.remove(found.re)
        at = found.end()
        parts = found.groupdict()
        if parts.get("level"):
            level = int(parts["level"])
        elif parts.get("word"):
            level = _WORDS.get(parts["word"], level)
        caller = parts.get("caller") or parts.get("task") or caller
    text = raw[at:].rstrip()
    record = KmsgRecord(
        _INFO if level is None else level & 7, (level or 0) >> 3, _seconds(raw[:at]), text, caller=caller
    )
    return Line(number, text[:_LONGEST], level, caller, record)


_SECONDS = re.compile(r"\[ *([0-9]{1,10}\.[0-9]{1,9})")


def _seconds(prefix: str) -> float:
    found = _SECONDS.search(prefix)
    return float(found[1]) if found else 0.0
