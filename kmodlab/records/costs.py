# SPDX-License-Identifier: MIT
"""What an allocation costs: bytes asked for, bytes taken, time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmodlab.errors import RecordParseError
from kmodlab.records.table import Column, Rows

__all__ = ["AllocationCost", "parse_costs"]


@dataclass(frozen=True, slots=True)
class AllocationCost:
    """What one object costs, as the mean of many.

    Attributes:
        how: the allocator, such as ``kmalloc``.
        size: bytes asked for.
        taken: bytes by which the kernel's memory in use grew.
        ns: nanoseconds that it took.
    """

    how: str
    size: int
    taken: int
    ns: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("how", "from"),
        Column("size", "asked for", "bytes"),
        Column("taken", kind="bytes"),
        Column("ns", "nanoseconds", "number"),
    )


def parse_costs(text: str) -> Rows[AllocationCost]:
    """Return the rows of lines such as ``kmalloc 600 1024 850``: allocator, bytes asked for, bytes taken, nanoseconds.

    Raises:
        RecordParseError: a line is not of that form.
    """
    rows = []
    for line in filter(None, map(str.strip, text.splitlines())):
        how, *numbers = line.split()
        if len(numbers) != 3 or not all(number.lstrip("-").isdigit() for number in numbers):
            raise RecordParseError(
                f"read costs: {line[:120]!r}; expected an allocator and three numbers, such as 'kmalloc 600 1024 850'",
                text=line,
            )
        rows.append(AllocationCost(how, *map(int, numbers)))
    return Rows(rows, caption="What an object costs", columns=AllocationCost.COLUMNS)
