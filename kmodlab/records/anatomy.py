# SPDX-License-Identifier: MIT
"""What a module's file is made of: which of its bytes come into the kernel, and which places the loader fills in."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from kmodlab.errors import RecordParseError
from kmodlab.records.elf import ModuleFile, Section, read_module, unpacked
from kmodlab.records.table import Column, Rows

__all__ = ["Anatomy", "FilePart", "RelocationTarget", "read_anatomy"]

FileUse = Literal["kept", "init", "linking", "debug"]

_ALLOCATED = 0x2
_NOBITS = 8
_RELA = 4
_SECTION_SYMBOL = 3


@dataclass(frozen=True, slots=True)
class FilePart:
    """Some bytes of the file.

    Attributes:
        use: ``kept`` (in the kernel's memory as long as the module is), ``init`` (until its init has returned),
            ``linking`` (the loader reads them: symbols, relocations, modinfo) or ``debug`` (for debuggers only).
        size: bytes in the file.
        sections: how many sections.
    """

    use: FileUse
    size: int
    sections: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("meaning", "part of the file"),
        Column("size", kind="bytes"),
        Column("sections", kind="number"),
    )

    @property
    def meaning(self) -> str:
        """What these bytes are for."""
        return {
            "kept": "stays in the kernel",
            "init": "only until init has returned",
            "linking": "for the loader: symbols, relocations",
            "debug": "for debuggers",
        }[self.use]


@dataclass(frozen=True, slots=True)
class RelocationTarget:
    """Something whose address the loader writes into the module when it is loaded.

    Attributes:
        name: the symbol, or the module's own section.
        imported: whether it lies outside the module.
        places: how many places of the module's memory get its address.
    """

    name: str
    imported: bool
    places: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "target"),
        Column("imported", "outside the module"),
        Column("places", kind="number"),
    )


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A module's file, taken apart.

    Attributes:
        file: its sections, symbols and modinfo.
        size: bytes of the file, unpacked.
        parts: what its bytes are for, in the order of `FilePart.use`; all that have bytes.
        relocations: what the loader writes into it, the most frequent first.
    """

    file: ModuleFile
    size: int
    parts: Rows[FilePart]
    relocations: Rows[RelocationTarget]

    @property
    def name(self) -> str:
        """The module."""
        return self.file.name

    @property
    def sections(self) -> Rows[Section]:
        """The sections that are given memory, the largest first."""
        rows = sorted(self.file.sections, key=lambda section: (-section.size, section.name))
        return Rows(rows, caption=f"Sections of {self.name}", columns=Section.COLUMNS)

    def __str__(self) -> str:
        """The three tables."""
        return f"{self.parts}\n\n{self.sections}\n\n{self.relocations}"

    def _repr_html_(self) -> str:
        """Return the three tables for a notebook."""
        return "".join(rows._repr_html_() for rows in (self.parts, self.sections, self.relocations))


def read_anatomy(data: bytes) -> Anatomy:
    """Return what the bytes of a ``.ko``, ``.ko.xz`` or ``.ko.gz`` are made of.

    Raises:
        RecordParseError: it is not the file of a module, or it is damaged.
    """
    file, plain = read_module(data), unpacked(data)
    try:
        headers = list(_headers(plain))
        targets = Counter(_targets(plain, headers))
    # pyelftools meets a damaged file with whatever its arithmetic leads to.
    except Exception as error:
        raise RecordParseError(
            f"read module: cut or damaged ({type(error).__name__}); give the bytes of a .ko file, whole"
        ) from error
    rows = [RelocationTarget(name, imported, places) for (name, imported), places in targets.items()]
    rows.sort(key=lambda row: (-row.places, row.name))
    return Anatomy(
        file,
        len(plain),
        Rows(_parts(headers), caption=f"The file {file.name}.ko", columns=FilePart.COLUMNS),
        Rows(rows, caption=f"What the loader writes into {file.name}", columns=RelocationTarget.COLUMNS),
    )


def _headers(data: bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from elftools.elf.elffile import ELFFile

    for section in ELFFile(io.BytesIO(data)).iter_sections():
        yield section.name, section.header


def _parts(headers: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[FilePart]:
    sums: dict[FileUse, list[int]] = {use: [0, 0] for use in ("kept", "init", "linking", "debug")}
    for name, header in headers:
        if header["sh_size"] and header["sh_type"] not in ("SHT_NOBITS", _NOBITS, "SHT_NULL"):
            sums[_use(name, header["sh_flags"])][0] += header["sh_size"]
            sums[_use(name, header["sh_flags"])][1] += 1
    yield from (FilePart(use, size, count) for use, (size, count) in sums.items() if size)


def _use(name: str, flags: int) -> FileUse:
    if ".debug_" in name or name == ".BTF":
        return "debug"
    if not flags & _ALLOCATED or name in (".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names"):
        return "linking"
    return "init" if name.startswith(".init") else "kept"


def _targets(data: bytes, headers: list[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, bool]]:
    """Yield the target of each relocation of a section that is given memory; by hand, since pyelftools is slow."""
    names = [name for name, _ in headers]
    symbols: dict[int, list[tuple[str, bool]]] = {}
    for _, header in headers:
        if header["sh_type"] not in ("SHT_RELA", _RELA) or not headers[header["sh_info"]][1]["sh_flags"] & _ALLOCATED:
            continue
        table = header["sh_link"]
        if table not in symbols:
            symbols[table] = list(_symbols(data, headers[table][1], headers, names))
        content = data[header["sh_offset"] : header["sh_offset"] + header["sh_size"]]
        for _, info, _ in struct.iter_unpack("<QQq", content[: len(content) // 24 * 24]):
            yield symbols[table][info >> 32]


def _symbols(
    data: bytes, table: Mapping[str, Any], headers: list[tuple[str, Mapping[str, Any]]], names: list[str]
) -> Iterator[tuple[str, bool]]:
    """Yield of each symbol the name to show, its section's for what has none, and whether it lies outside."""
    strings = headers[table["sh_link"]][1]
    text = data[strings["sh_offset"] : strings["sh_offset"] + strings["sh_size"]]
    content = data[table["sh_offset"] : table["sh_offset"] + table["sh_size"]]
    for start, info, _, section, _, _ in struct.iter_unpack("<IBBHQQ", content[: len(content) // 24 * 24]):
        own = text[start : text.index(b"\0", start)].decode(errors="backslashreplace")
        nameless = info & 0xF == _SECTION_SYMBOL or not own
        yield (names[section] if nameless and section < len(names) else own), section == 0 and not nameless
