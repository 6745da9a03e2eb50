# SPDX-License-Identifier: MIT
"""Whether the kernel reported a fault of its own, read from its log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kmodlab.records.kmsg import KmsgRecord

__all__ = ["Oops", "find_oops"]

# The first line of a report that ends the task (or the machine); from arch/x86/mm/fault.c, arch/x86/kernel/traps.c,
# arch/arm64/kernel/traps.c, lib/bug.c and kernel/panic.c. A warning (WARN) is none: the kernel goes on.
_FIRST = re.compile(
    r"BUG: (?:kernel NULL pointer dereference|unable to handle|stack guard page|TASK stack guard)"
    r"|kernel BUG at |Unable to handle kernel |Internal error: Oops|invalid opcode: |general protection fault"
    r"|divide error: |Oops: |double fault: |stack segment: |Kernel panic - not syncing"
)
_LAST = re.compile(r"---\[ end (?:trace|Kernel panic)")
# "RIP: 0010:scribble_write+0x1c/0x60 [scribble]", on arm64 "pc : scribble_write+0x1c/0x60 [scribble]"
_WHERE = re.compile(r"(?:RIP: 0010:|pc : )(\w[\w.]*)\+0x")


@dataclass(frozen=True, slots=True)
class Oops:
    """A fault that the kernel reported.

    Attributes:
        title: the fault and the function in which it happened, in one line.
        records: the report's lines.
    """

    title: str
    records: tuple[KmsgRecord, ...]


def find_oops(records: Sequence[KmsgRecord]) -> Oops | None:
    """Return the first fault in a log, or None if there is none."""
    first = next((number for number, record in enumerate(records) if _FIRST.search(record.text)), None)
    if first is None:
        return None
    ends = (number for number in range(first, len(records)) if _LAST.search(records[number].text))
    report = tuple(records[first : next(ends, len(records)) + 1])
    return Oops(_title(report), report)


def _title(report: Sequence[KmsgRecord]) -> str:
    fault = re.sub(r"^BUG: |, address: .*| at (?:virtual )?address.*|: 0000 \[.*", "", report[0].text).strip()
    where = next((found[1] for record in report if (found := _WHERE.search(record.text))), None)
    return f"{fault} in {where}" if where else fault
