# SPDX-License-Identifier: MIT
"""Where in the kernel's half of the addresses what lies: all of RAM, vmalloc, the kernel's own code, its modules."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from kmodlab.errors import RecordParseError
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import Column, Rows

__all__ = ["AddressArea", "AddressSpace"]

AreaKind = Literal["direct", "vmalloc", "memmap", "kernel", "modules", "module"]

_WORDS: dict[AreaKind, str] = {
    "direct": "RAM, all of it in one piece",
    "vmalloc": "for vmalloc()",
    "memmap": "a struct page for each page of RAM",
    "kernel": "the kernel itself",
    "modules": "for modules",
    "module": "a module",
}
_LOAD = 1
_NOWHERE = (1 << 64) - 1  # as the physical address of what is not mapped in one piece


@dataclass(frozen=True, slots=True)
class AddressArea:
    """A range of virtual addresses.

    Attributes:
        kind: ``direct`` (the direct map of RAM), ``vmalloc``, ``memmap`` (the array of ``struct page``), ``kernel``
            (its code and data), ``modules`` (what is kept for them) or ``module`` (one of them).
        start: its first address.
        size: bytes.
        module: the name of a module.
    """

    kind: AreaKind
    start: int
    size: int
    module: str = ""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("meaning", "area"),
        Column("start", kind="address"),
        Column("size", kind="bytes"),
    )

    @property
    def end(self) -> int:
        """The address behind its last one."""
        return self.start + self.size

    @property
    def meaning(self) -> str:
        """What it is for, or the module's name."""
        return self.module or _WORDS[self.kind]


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """The kernel's half of the addresses.

    Attributes:
        areas: the areas, by address.
        modules: the loaded modules, by address.
    """

    areas: Rows[AddressArea]
    modules: Rows[AddressArea]

    @classmethod
    def from_files(cls, kcore: bytes, loaded: Iterable[LoadedModule]) -> AddressSpace:
        """Return the areas that the kernel shows to debuggers, and the modules in them.

        Args:
            kcore: the first kilobytes of ``/proc/kcore``, an ELF file whose segments are these areas.
            loaded: the rows of ``/proc/modules``; those whose address is hidden are left out.

        Raises:
            RecordParseError: it is not the beginning of ``/proc/kcore``.
        """
        rows = [AddressArea("module", row.address, row.size, row.name) for row in loaded if row.address]
        rows.sort(key=lambda row: row.start)
        areas = sorted(_merged(_named(list(_segments(kcore)), rows)), key=lambda area: area.start)
        return cls(
            Rows(areas, caption="The kernel's half of the addresses", columns=AddressArea.COLUMNS),
            Rows(rows, caption="Modules by address", columns=AddressArea.COLUMNS),
        )

    def area(self, kind: AreaKind) -> AddressArea | None:
        """Return the area of this kind, or None if the kernel shows none."""
        return next((area for area in self.areas if area.kind == kind), None)

    def __str__(self) -> str:
        """Return both tables."""
        return f"{self.areas}\n\n{self.modules}"

    def _repr_html_(self) -> str:
        """Return both tables for a notebook."""
        return self.areas._repr_html_() + self.modules._repr_html_()


def _segments(kcore: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield virtual address, physical address and size of each segment."""
    if len(kcore) < 64 or kcore[:6] != b"\x7fELF\x02\x01":
        raise RecordParseError("read /proc/kcore: not a 64-bit ELF file; give its first 16 kilobytes")
    (start,) = struct.unpack_from("<Q", kcore, 32)
    step, count = struct.unpack_from("<HH", kcore, 54)
    if start + step * count > len(kcore):
        raise RecordParseError(f"read /proc/kcore: cut: {count} segments; give its first 16 kilobytes")
    for number in range(count):
        kind, _, _, virtual, physical, _, size, _ = struct.unpack_from("<IIQQQQQQ", kcore, start + step * number)
        if kind == _LOAD and size:
            yield virtual, physical, size


def _named(segments: list[tuple[int, int, int]], modules: list[AddressArea]) -> Iterator[AddressArea]:
    """Tell the segments apart, as ``fs/proc/kcore.c`` lists them: it gives them no names."""
    mapped = [one for one in segments if one[1] != _NOWHERE]
    others = [one for one in segments if one[1] == _NOWHERE]
    kernel = max(mapped, default=None)
    home = next((one for one in others if any(one[0] <= row.start < one[0] + one[2] for row in modules)), None)
    largest = max((one for one in others if one != home), key=lambda one: one[2], default=None)
    for one in segments:
        kind: AreaKind = "direct" if one in mapped else "memmap"
        if one == kernel and len(mapped) > 1:
            kind = "kernel"
        elif one in (home, largest):
            kind = "modules" if one == home else "vmalloc"
        yield AddressArea(kind, one[0], one[2])


def _merged(areas: Iterable[AddressArea]) -> Iterator[AddressArea]:
    """Make one area of all of a kind: RAM has holes in which the firmware lives."""
    kinds: dict[AreaKind, list[AddressArea]] = {}
    for area in areas:
        kinds.setdefault(area.kind, []).append(area)
    for kind, few in kinds.items():
        start = min(area.start for area in few)
        yield AddressArea(kind, start, max(area.end for area in few) - start)
