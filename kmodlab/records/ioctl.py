# SPDX-License-Identifier: MIT
"""What the number of an ioctl command holds (``include/uapi/asm-generic/ioctl.h``; not so on powerpc, mips, sparc)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmodlab.errors import UsageError
from kmodlab.records.table import Column, Rows

__all__ = ["IoctlField", "ioctl_fields"]

_DIRECTIONS = (
    ("_IO", "no argument"),
    ("_IOW", "the program writes an argument"),
    ("_IOR", "the program reads an answer"),
    ("_IOWR", "the program writes an argument and reads an answer"),
)


@dataclass(frozen=True, slots=True)
class IoctlField:
    """One group of bits.

    Attributes:
        name: ``direction``, ``size``, ``letter`` or ``number``.
        high, low: its first and its last bit, counted from 0 at the right.
        value: as a number.
        sign: the macro or the hexadecimal form that programmers know the value by; empty if it is the number itself.
        meaning: in words.
    """

    name: str
    high: int
    low: int
    value: int
    sign: str
    meaning: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "field"),
        Column("bits"),
        Column("value", kind="number"),
        Column("sign", "as written", "code"),
        Column("meaning"),
    )

    @property
    def bits(self) -> str:
        """Which bits, in words."""
        return f"{self.high} to {self.low}"


def ioctl_fields(number: int) -> Rows[IoctlField]:
    """Return the four fields of an ioctl command's number, from its highest bit down.

    Raises:
        UsageError: the number does not fit into 32 bits.
    """
    if not 0 <= number < 1 << 32:
        raise UsageError(f"take {number:#x} apart: a command's number has 32 bits; give one from 0 to 0xffffffff")
    direction, size, letter, running = number >> 30, number >> 16 & 0x3FFF, number >> 8 & 0xFF, number & 0xFF
    macro, meaning = _DIRECTIONS[direction]
    shown = f"'{chr(letter)}'" if 0x21 <= letter < 0x7F else f"{letter:#04x}"
    fields = (
        IoctlField("direction", 31, 30, direction, macro, meaning),
        IoctlField("size", 29, 16, size, "", f"of {size} byte{'' if size == 1 else 's'}"),
        IoctlField("letter", 15, 8, letter, shown, "the driver's own"),
        IoctlField("number", 7, 0, running, "", f"command {running} of this driver"),
    )
    return Rows(fields, caption=f"ioctl command {number:#010x}", columns=IoctlField.COLUMNS)
