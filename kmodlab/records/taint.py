# SPDX-License-Identifier: MIT
"""``/proc/sys/kernel/tainted``: what has happened to this kernel that its developers want to be told of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from kmodlab.errors import RecordParseError
from kmodlab.records.table import Column, Rows

__all__ = ["Taint", "TaintFlag", "parse_taint"]


@dataclass(frozen=True, slots=True)
class TaintFlag:
    """One reason why a kernel counts as tainted.

    Attributes:
        bit: its bit in the mask.
        letter: how oops reports and ``/proc/modules`` write it.
        name: a short name.
        meaning: what it says, in a sentence.
    """

    bit: int
    letter: str
    name: str
    meaning: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "taint"),
        Column("letter", kind="code"),
        Column("bit", kind="number"),
        Column("meaning"),
    )


_FLAGS = tuple(
    TaintFlag(bit, *rest)
    for bit, rest in enumerate(
        (
            ("P", "proprietary-module", "A module without a GPL-compatible licence was loaded."),
            ("F", "forced-module", "A module was loaded by force, past the version check."),
            ("S", "cpu-out-of-spec", "The processor or the system is used outside its specification."),
            ("R", "forced-rmmod", "A module was unloaded by force, while it was in use."),
            ("M", "machine-check", "The processor reported a hardware fault."),
            ("B", "bad-page", "A page of memory was found in a state that it must not be in."),
            ("U", "user", "A program asked for this mark."),
            ("D", "die", "The kernel has died in an oops or a BUG; nothing it says from now on can be trusted."),
            ("A", "overridden-acpi-table", "A table of the firmware was replaced."),
            ("W", "warn", "The kernel met a state that its code warns of (WARN), and went on."),
            ("C", "staging", "A driver of unfinished quality, from the kernel's staging folder, was loaded."),
            ("I", "firmware-workaround", "A grave fault of the firmware is being worked around."),
            ("O", "out-of-tree", "A module that is not part of the kernel's own source was loaded."),
            ("E", "unsigned-module", "A module without a signature was loaded."),
            ("L", "softlockup", "A processor was stuck in the kernel for too long."),
            ("K", "livepatch", "The running kernel was patched."),
            ("X", "auxiliary", "A mark that the distribution defines."),
            ("T", "randstruct", "The kernel was built with shuffled structures."),
            ("N", "test", "A test of the kernel itself was run."),
            ("J", "fwctl", "Firmware of a device was changed through its debug interface."),
        )
    )
)
_EXPECTED = {"out-of-tree", "unsigned-module"}


@dataclass(frozen=True, slots=True)
class Taint:
    """Which taint flags are set.

    It is true if any is set, ``"warn" in taint`` and ``"W" in taint`` ask for one, and ``after - before`` are
    those that have come.

    Attributes:
        mask: the number in ``/proc/sys/kernel/tainted``.
    """

    mask: int = 0

    def __bool__(self) -> bool:
        """Return true if any flag is set."""
        return self.mask != 0

    def __contains__(self, flag: object) -> bool:
        """Return true if the flag with this letter or name is set."""
        return any(flag in (known.letter, known.name) for known in self)

    def __iter__(self) -> Iterator[TaintFlag]:
        """Return the flags that are set, in the order of their bits."""
        for bit in range(self.mask.bit_length()):
            if self.mask >> bit & 1:
                yield _FLAGS[bit] if bit < len(_FLAGS) else _unknown(bit)

    def __sub__(self, before: Taint) -> Taint:
        """Return the flags that are set here and were not set before."""
        return Taint(self.mask & ~before.mask)

    @property
    def flags(self) -> Rows[TaintFlag]:
        """The flags that are set, as a table."""
        return Rows(self, caption=f"Taint: {self.letters or 'none'} ({self.mask})", columns=TaintFlag.COLUMNS)

    @property
    def letters(self) -> str:
        """The letters, as an oops report writes them: ``OE``."""
        return "".join(flag.letter for flag in self)

    @property
    def names(self) -> tuple[str, ...]:
        """The short names, e.g. ``("out-of-tree", "unsigned-module")``."""
        return tuple(flag.name for flag in self)

    @property
    def beyond_expected(self) -> Taint:
        """The flags that a sound module of one's own does not set: all but ``out-of-tree`` and ``unsigned-module``."""
        return Taint(sum(1 << flag.bit for flag in self if flag.name not in _EXPECTED))

    def __str__(self) -> str:
        """Return the flags in words."""
        if not self:
            return "not tainted"
        return "\n".join(f"{flag.letter}  {flag.name}: {flag.meaning}" for flag in self)

    def _repr_html_(self) -> str:
        """Return the flags as a table for a notebook."""
        return self.flags._repr_html_() if self else "<p>The kernel is not tainted.</p>"


def _unknown(bit: int) -> TaintFlag:
    return TaintFlag(bit, "?", f"bit-{bit}", f"Bit {bit}, which this version of kmodlab does not know.")


def parse_taint(text: str) -> Taint:
    """Return the taint from the text of ``/proc/sys/kernel/tainted``.

    Raises:
        RecordParseError: it is not a number.
    """
    if not re.fullmatch(r"[0-9]{1,20}", text.strip()):
        raise RecordParseError(
            f"read /proc/sys/kernel/tainted: not a number: {text[:60]!r}; expected one, such as 12288", text=text
        )
    return Taint(int(text))
