# SPDX-License-Identifier: MIT
"""The kernel's log, from the serial console or from ``/dev/kmsg``, as records.

A guest boots with ``console_msg_format=syslog ignore_loglevel``, so a console line reads
``<6>[    5.123456] text``, or ``<6>[    5.123456][  T123] text`` where the kernel names the caller. The number
in ``<>`` is the level plus eight times the facility. Nothing here raises: a log may be cut or damaged anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from kmodlab.records.table import Column, Rows

__all__ = ["SEVERITIES", "ConsoleParser", "KernelLog", "KmsgRecord", "parse_console", "parse_kmsg"]

SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
"""The kernel's log levels 0 to 7 (``include/linux/kern_levels.h``) in words."""

_TONES = ("bad", "bad", "bad", "bad", "warn", "note", "", "faint")
_INFO = 6
_LONGEST_LINE = 64 * 1024

# Firmware clears the screen before the kernel's first line, hence the escape sequences.
_CONSOLE = re.compile(
    r"(?:\x1b\[[0-9;?=]*[A-Za-z]|\x1bc)*"
    r"(?:<([0-9]{1,4})>)?(?:\[ {0,10}([0-9]{1,10}\.[0-9]{1,9})\](?:\[ {0,10}([TC][0-9]{1,10})\])? ?)?(.*)",
    re.DOTALL,
)
_KMSG = re.compile(r"([0-9]{1,4}),([0-9]{1,20}),([0-9]{1,20}),([^;,]*)((?:,[^;,]*)*);(.*)", re.DOTALL)
_ESCAPED = re.compile(rb"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class KmsgRecord:
    """One line of the kernel's log.

    Attributes:
        level: 0 (emergency) to 7 (debug).
        facility: 0 for the kernel itself; 1 and more for what a program wrote to ``/dev/kmsg``.
        seconds: when, in seconds since boot.
        text: the line.
        continued: true if the line came without a level of its own and has that of the line before.
        caller: ``T123`` (task) or ``C0`` (processor) where the kernel says it, else empty.
        sequence: the record's number in ``/dev/kmsg``; ``None`` on a console.
    """

    level: int
    facility: int
    seconds: float
    text: str
    continued: bool = False
    caller: str = ""
    sequence: int | None = None

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("seconds", "time (s)", "number"),
        Column("severity", "level"),
        Column("text", "message", "code"),
    )

    @property
    def severity(self) -> str:
        """The level in words, such as ``error`` or ``info``."""
        return SEVERITIES[self.level]

    @property
    def microseconds(self) -> int:
        """When, in microseconds since boot, as the kernel counts it."""
        return round(self.seconds * 1_000_000)

    @property
    def tone(self) -> str:
        """The colour of the line in a table."""
        return _TONES[self.level]

    def __str__(self) -> str:
        """Return the line as ``dmesg`` prints it."""
        return f"[{self.seconds:12.6f}] {self.text}"


class KernelLog(Rows[KmsgRecord]):
    """Lines of the kernel's log in their order, shown as a table."""

    def text(self) -> str:
        """Return the messages alone, one a line, as the module wrote them."""
        return "\n".join(record.text for record in self)

    def dmesg(self) -> str:
        """Return the lines as the command ``dmesg`` prints them."""
        return "\n".join(str(record) for record in self)

    def at_least(self, severity: str) -> KernelLog:
        """Return the lines of this severity or a worse one: ``log.at_least("warning")``."""
        return self.filter(lambda record: record.level <= SEVERITIES.index(severity))

    def containing(self, words: str) -> KernelLog:
        """Return the lines that hold these words."""
        return self.filter(lambda record: words in record.text)

    def since(self, seconds: float) -> KernelLog:
        """Return the lines from this time on, in seconds since boot."""
        return self.filter(lambda record: record.seconds >= seconds)


def _log(records: list[KmsgRecord]) -> KernelLog:
    return KernelLog(records, caption="Kernel log", columns=KmsgRecord.COLUMNS)


_START = KmsgRecord(_INFO, 0, 0.0, "")


def _console_line(line: str, before: KmsgRecord) -> KmsgRecord:
    """Return a console line as a record; what it does not say itself it has from the line before."""
    found = _CONSOLE.match(line.rstrip("\r"))
    if found is None:
        return KmsgRecord(before.level, before.facility, before.seconds, line, continued=True)
    priority, seconds, caller, text = found.groups()
    if priority is None and seconds is None:
        return KmsgRecord(before.level, before.facility, before.seconds, text, continued=True)
    number = int(priority) if priority else _INFO
    when = float(seconds) if seconds else before.seconds
    return KmsgRecord(number & 7, number >> 3, when, text, caller=caller or "")


class ConsoleParser:
    """Reads a console while it is being written.

    ``feed`` takes whatever bytes have come, cut anywhere, and returns the lines that they complete; ``close``
    returns the last line if the console ended in the middle of it.
    """

    def __init__(self) -> None:
        """Start at the beginning of a console."""
        self._pending = bytearray()
        self._last = _START

    def feed(self, data: bytes) -> list[KmsgRecord]:
        """Return the records of the lines that these bytes complete."""
        *lines, rest = data.split(b"\n")
        records = []
        for line in lines:
            records.append(self._record(bytes(self._pending) + line))
            self._pending.clear()
        self._pending += rest
        # Something that never ends its line must not fill the host's memory.
        while len(self._pending) > _LONGEST_LINE:
            records.append(self._record(bytes(self._pending[:_LONGEST_LINE])))
            del self._pending[:_LONGEST_LINE]
        return records

    def close(self) -> list[KmsgRecord]:
        """Return the record of the unfinished last line, if there is one."""
        if not self._pending:
            return []
        line = bytes(self._pending)
        self._pending.clear()
        return [self._record(line)]

    def _record(self, line: bytes) -> KmsgRecord:
        self._last = _console_line(line.decode(errors="backslashreplace"), self._last)
        return self._last


def parse_console(text: str) -> KernelLog:
    """Return the lines of a console log, one record a line.

    A line without a prefix is kept: it gets the level and the time of the line before. A log saved by plain
    ``dmesg``, which has times but no levels, is read as level ``info``.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    records, last = [], _START
    for line in lines:
        last = _console_line(line, last)
        records.append(last)
    return _log(records)


def parse_kmsg(text: str) -> KernelLog:
    r"""Return what was read from ``/dev/kmsg``, one record a line of text.

    The form is ``6,339,5140900,-;text``, times in microseconds; escapes such as ``\x0a`` are undone and the
    device properties that follow a record on lines of their own (`` SUBSYSTEM=acpi``) are left out.
    """
    records: list[KmsgRecord] = []
    last = _START
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for line in lines:
        found = _KMSG.match(line)
        if found is None and re.match(r" [^=\s]+=", line):
            continue
        if found is None:
            last = KmsgRecord(last.level, last.facility, last.seconds, line, continued=True)
            records.append(last)
            continue
        for last in _kmsg_records(found):
            records.append(last)
    return _log(records)


def _kmsg_records(found: re.Match[str]) -> Iterator[KmsgRecord]:
    priority, sequence, microseconds, _flags, more, text = found.groups()
    number = int(priority)
    caller = next((part[7:] for part in more.split(",") if part.startswith("caller=")), "")
    raw = text.encode(errors="surrogatepass")
    plain = _ESCAPED.sub(lambda code: bytes([int(code[1], 16)]), raw).decode(errors="backslashreplace")
    for line in plain.split("\n"):
        yield KmsgRecord(number & 7, number >> 3, int(microseconds) / 1e6, line, caller=caller, sequence=int(sequence))
