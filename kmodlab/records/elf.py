# SPDX-License-Identifier: MIT
"""A kernel module's file (``.ko``, also compressed): its sections, symbols and modinfo."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from kmodlab.errors import RecordParseError
from kmodlab.records.table import Column

__all__ = ["KINDS", "Export", "ModuleFile", "Section", "SectionKind", "read_module", "unpacked"]

SectionKind = Literal["text", "rodata", "data", "bss", "init", "other"]

KINDS: tuple[SectionKind, ...] = ("text", "rodata", "data", "bss", "init", "other")
"""Code; read-only data; data; zeroed data; what is freed after init; what lies elsewhere (per-CPU data)."""

_LARGEST = 512 * 1024 * 1024
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR, _SHT_NOBITS = 0x1, 0x2, 0x4, 8
# The loader reads these and does not keep them (kernel/module/main.c, setup_load_info).
_SIGNED = b"~Module signature appended~\n"
_NOT_KEPT = (".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names")


@dataclass(frozen=True, slots=True)
class Section:
    """A section that is given memory when the module is loaded.

    Attributes:
        name: e.g. ``.text`` or ``.init.data``.
        size: bytes.
        kind: ``text``, ``rodata``, ``data``, ``bss``, ``init`` (freed after init) or ``other`` (per-CPU data,
            which does not lie in the module's own memory).
        align: it starts at a multiple of this many bytes.
    """

    name: str
    size: int
    kind: SectionKind
    align: int = 1

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("name", "section"), Column("size", kind="bytes"), Column("kind"))


@dataclass(frozen=True, slots=True)
class Export:
    """A symbol that the module offers to others (``EXPORT_SYMBOL``).

    Attributes:
        name: the function or variable.
        gpl: true if only GPL-compatible modules may use it (``EXPORT_SYMBOL_GPL``).
        namespace: the symbol namespace, or empty.
    """

    name: str
    gpl: bool
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """What a module's file says.

    Attributes:
        name: the name it will have in the kernel.
        sections: those that are given memory, in the file's order.
        imports: the symbols it needs from the kernel or from other modules, sorted.
        exports: the symbols it offers, sorted.
        modinfo: the ``.modinfo`` section as pairs, in its order, e.g. ``("license", "GPL")``.
        signed: true if a signature is appended (kmodlab does not check it).
    """

    name: str
    sections: tuple[Section, ...]
    imports: tuple[str, ...]
    exports: tuple[Export, ...]
    modinfo: tuple[tuple[str, str], ...]
    signed: bool = False

    @property
    def memory(self) -> dict[SectionKind, int]:
        """Bytes by kind of section, without the gaps between sections; every kind is there."""
        sums: dict[SectionKind, int] = dict.fromkeys(KINDS, 0)
        for section in self.sections:
            sums[section.kind] += section.size
        return sums

    def info(self, key: str) -> tuple[str, ...]:
        """Return all values of one modinfo key, e.g. ``info("author")``."""
        return tuple(value for name, value in self.modinfo if name == key)


def read_module(data: bytes) -> ModuleFile:
    """Return what is in a module's file: the bytes of a ``.ko``, ``.ko.xz`` or ``.ko.gz``.

    Raises:
        RecordParseError: it is not the file of a kernel module, or it is cut or damaged.
    """
    try:
        return _Reader(unpacked(data)).module()
    except RecordParseError:
        raise
    # pyelftools meets a damaged file with whatever its arithmetic leads to: AssertionError, TypeError, KeyError …
    except Exception as error:
        raise _refused(f"cut or damaged ({type(error).__name__})") from error


def _refused(why: str) -> RecordParseError:
    return RecordParseError(f"read module: {why}; give the bytes of a .ko file, whole")


def unpacked(data: bytes) -> bytes:
    """Return the ELF file in the bytes of a ``.ko``, ``.ko.xz`` or ``.ko.gz``.

    Raises:
        RecordParseError: it is none, is cut, or would be huge.
    """
    if data[:6] == b"\xfd7zXZ\x00":
        unpacker = lzma.LZMADecompressor(memlimit=_LARGEST)
        plain = unpacker.decompress(data, _LARGEST)
        if not unpacker.eof:
            raise _refused("the xz file is cut, or too large unpacked")
        return plain
    if data[:2] == b"\x1f\x8b":
        inflater = zlib.decompressobj(wbits=31)
        plain = inflater.decompress(data, _LARGEST)
        if not inflater.eof:
            raise _refused("the gzip file is cut, or too large unpacked")
        return plain
    if data[:4] == b"\x28\xb5\x2f\xfd":
        raise _refused("compressed with zstd, which kmodlab cannot read: unpack it with unzstd")
    if data[:4] != b"\x7fELF":
        raise _refused("not an ELF file")
    return data


class _Reader:
    """One pass over one ELF file."""

    def __init__(self, data: bytes) -> None:
        from elftools.elf.elffile import ELFFile

        elf = ELFFile(io.BytesIO(data))
        self._data = data
        self._order = "<" if elf.little_endian else ">"
        self._wide = elf.elfclass == 64
        self._headers = [(section.name, section.header) for section in elf.iter_sections()]
        self._symbols = list(self._read_symbols())

    def module(self) -> ModuleFile:
        modinfo = tuple(self._modinfo())
        names = [value for key, value in modinfo if key == "name"]
        if not modinfo:
            raise _refused("an ELF file, but without a .modinfo section, so not a kernel module")
        return ModuleFile(
            name=names[0] if names else self._name_from_struct(),
            sections=tuple(self._sections()),
            imports=tuple(sorted({name for name, index, _ in self._symbols if index == 0 and name})),
            exports=tuple(sorted(self._exports(), key=lambda export: export.name)),
            modinfo=modinfo,
            signed=self._data.endswith(_SIGNED),
        )

    def _bytes(self, index: int) -> bytes:
        header = self._headers[index][1]
        start, size = header["sh_offset"], header["sh_size"]
        if start + size > len(self._data):
            raise _refused("cut: a section ends behind the end of the file")
        return self._data[start : start + size]

    def _find(self, name: str) -> int | None:
        return next((index for index, (found, _) in enumerate(self._headers) if found == name), None)

    def _sections(self) -> Iterator[Section]:
        for name, header in self._headers:
            flags, size = header["sh_flags"], header["sh_size"]
            if flags & _SHF_ALLOC and size and name not in _NOT_KEPT:
                nobits = header["sh_type"] in ("SHT_NOBITS", _SHT_NOBITS)
                yield Section(name, size, _kind(name, flags, nobits), header["sh_addralign"] or 1)

    def _modinfo(self) -> Iterator[tuple[str, str]]:
        index = self._find(".modinfo")
        if index is None:
            return
        for entry in self._bytes(index).split(b"\0"):
            if entry:
                key, _, value = entry.decode(errors="backslashreplace").partition("=")
                yield key, value

    def _name_from_struct(self) -> str:
        """Return the name from ``struct module`` itself: modinfo has it only since Linux 4.12."""
        index = self._find(".gnu.linkonce.this_module")
        if index is None:
            raise _refused("it does not say its name")
        start = 24 if self._wide else 12
        return self._bytes(index)[start:].split(b"\0", 1)[0].decode(errors="backslashreplace")

    def _read_symbols(self) -> Iterator[tuple[str, int, int]]:
        """Return name, section index and value of each symbol; read here since pyelftools takes seconds for some."""
        index = self._find(".symtab")
        if index is None:
            return
        names = self._bytes(self._headers[index][1]["sh_link"])
        form, value_at, section_at = ("IBBHQQ", 4, 3) if self._wide else ("IIIBBH", 1, 5)
        layout = struct.Struct(self._order + form)
        table = self._bytes(index)
        for entry in layout.iter_unpack(table[: len(table) // layout.size * layout.size]):
            start = entry[0]
            name = names[start : names.index(b"\0", start)].decode(errors="backslashreplace")
            yield name, entry[section_at], entry[value_at]

    def _exports(self) -> Iterator[Export]:
        strings = self._find("__ksymtab_strings")
        text = self._bytes(strings) if strings is not None else b""
        spaces = {
            name.removeprefix("__kstrtabns_"): text[value:].split(b"\0", 1)[0].decode(errors="backslashreplace")
            for name, index, value in self._symbols
            if name.startswith("__kstrtabns_") and index == strings
        }
        for name, index, _ in self._symbols:
            if name.startswith("__ksymtab_") and 0 < index < len(self._headers):
                symbol = name.removeprefix("__ksymtab_")
                yield Export(symbol, "_gpl" in self._headers[index][0], spaces.get(symbol, ""))


def _kind(name: str, flags: int, nobits: bool) -> SectionKind:
    if name.startswith(".init"):
        return "init"
    if name.startswith(".data..percpu"):
        return "other"
    if flags & _SHF_EXECINSTR:
        return "text"
    if flags & _SHF_WRITE:
        return "bss" if nobits else "data"
    return "rodata"
