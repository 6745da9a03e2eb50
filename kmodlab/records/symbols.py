# SPDX-License-Identifier: MIT
"""Addresses of code → functions: of the kernel by ``/proc/kallsyms``, of a module by its ``.ko``."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kmodlab.errors import RecordParseError

__all__ = ["CallSite", "CodeSection", "KernelSymbols", "ModuleCode"]

_EXECUTABLE, _ALLOCATED = 0x4, 0x2


@dataclass(frozen=True, slots=True)
class CallSite:
    """A place in a module's code, as it stands on a stack: the address *behind* a call.

    So a line is looked up one byte before it.

    Attributes:
        module: the module's name.
        function: the function; empty if the module's file does not say.
        offset: bytes from the function's start; without a function, from the start of the module's memory.
        section: the section of the ``.ko`` that holds it, e.g. ``.text``; empty if not known.
        section_offset: bytes from the section's start.
        file: the source file, if somebody looked it up.
        line: the line in it, or 0.
    """

    module: str
    function: str
    offset: int
    section: str = ""
    section_offset: int = 0
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """As the kernel writes it: ``scribble_write+0x41 [scribble]``, with the line where it is known."""
        place = (
            f"{self.function}+0x{self.offset:x} [{self.module}]"
            if self.function
            else f"{self.module}+0x{self.offset:x}"
        )
        return f"{place} at {self.file}:{self.line}" if self.file else place


class KernelSymbols:
    """The functions of the kernel itself."""

    def __init__(self, symbols: Iterable[tuple[int, str]]) -> None:
        """Take pairs of address and name."""
        self._known = sorted(symbols)
        self._starts = [address for address, _ in self._known]

    @classmethod
    def parse(cls, text: str) -> KernelSymbols:
        """Read ``/proc/kallsyms``, or a ``System.map``; symbols that are no code, or of modules, are left out."""
        found = []
        for line in text.splitlines():
            parts = line.split(None, 3)
            if len(parts) == 3 and parts[1] in "tTwW":
                try:
                    found.append((int(parts[0], 16), parts[2]))
                except ValueError:
                    continue
        return cls(found)

    def find(self, address: int) -> tuple[str, int]:
        """Return the function and the offset in it, or an empty name and 0."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or index == len(self._known) - 1:
            return "", 0
        return self._known[index][1], address - self._starts[index]

    def address(self, name: str) -> int | None:
        """Return where a function starts."""
        return next((address for address, found in self._known if found == name), None)

    def names(self) -> frozenset[str]:
        """Return the names of all functions."""
        return frozenset(name for _, name in self._known)


@dataclass(frozen=True, slots=True)
class CodeSection:
    """A section of a module's file that holds code.

    Attributes:
        name: e.g. ``.text``.
        size, align: in bytes.
        functions: offset, size and name of each, in their order.
    """

    name: str
    size: int
    align: int
    functions: tuple[tuple[int, int, str], ...]

    @property
    def init(self) -> bool:
        """Whether it is freed after the module's init."""
        return self.name.startswith(".init")


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """Where the functions of one module lie.

    Attributes:
        name: the module's name.
        sections: its sections with code, in the file's order.
    """

    name: str
    sections: tuple[CodeSection, ...] = ()

    @classmethod
    def read(cls, name: str, data: bytes) -> ModuleCode:
        """Read the bytes of a ``.ko``, ``.ko.xz`` or ``.ko.gz``.

        Raises:
            RecordParseError: it is not the file of a module, or it is damaged.
        """
        try:
            return cls(name, tuple(_code_sections(_plain(data))))
        except RecordParseError:
            raise
        # pyelftools and the unpackers meet a damaged file with whatever their arithmetic leads to.
        except Exception as error:
            raise RecordParseError(
                f"read code of {name}: cut or damaged ({type(error).__name__}); give the bytes of a .ko file, whole"
            ) from error

    def layout(self, *, init: bool) -> Iterator[tuple[int, CodeSection]]:
        """Yield each section with code and its offset in the memory that the kernel gives it.

        The loader (``layout_sections`` in ``kernel/module/main.c``) puts code first, in the file's order, each
        section aligned; what init needs lies in memory of its own.
        """
        at = 0
        for section in self.sections:
            if section.init == init:
                align = max(section.align, 1)
                at = (at + align - 1) // align * align
                yield at, section
                at += section.size

    def room(self, site: CallSite) -> int:
        """Return the size of a place's function as the kernel counts it: up to the next one, or the section's end."""
        for section in self.sections:
            if section.name == site.section:
                start = site.section_offset - site.offset
                return next((at for at, _, _ in section.functions if at > start), section.size) - start
        return 0

    def find(self, offset: int, *, init: bool) -> CallSite | None:
        """Return what lies that many bytes from the start of the module's code, or of its init code."""
        for start, section in self.layout(init=init):
            inside = offset - start
            # An address behind a call may be the section's very end.
            if 0 < inside <= section.size:
                for begin, size, function in section.functions:
                    if begin < inside <= begin + size:
                        return CallSite(self.name, function, inside - begin, section.name, inside)
                return CallSite(self.name, "", offset, section.name, inside)
        return None


def _plain(data: bytes) -> bytes:
    if data[:6] == b"\xfd7zXZ\x00":
        return lzma.decompress(data)
    return zlib.decompress(data, wbits=31) if data[:2] == b"\x1f\x8b" else data


def _code_sections(data: bytes) -> Iterator[CodeSection]:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(data))
    headers = [(section.name, section.header) for section in elf.iter_sections()]
    functions: dict[int, list[tuple[int, int, str]]] = {}
    for name, header in headers:
        if name == ".symtab":
            for index, entry in _functions(data, header, headers[header["sh_link"]][1], elf.little_endian):
                functions.setdefault(index, []).append(entry)
    for index, (name, header) in enumerate(headers):
        flags = header["sh_flags"]
        if flags & _EXECUTABLE and flags & _ALLOCATED and header["sh_size"]:
            yield CodeSection(
                name, header["sh_size"], header["sh_addralign"] or 1, tuple(_in_order(functions.get(index, [])))
            )


def _in_order(functions: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Sort functions, and put the name in the source before the one that the loader looks for at the same place."""
    return sorted(functions, key=lambda one: (one[0], one[2] in {"init_module", "cleanup_module"}, one[2]))


def _functions(
    data: bytes, table: Mapping[str, Any], strings: Mapping[str, Any], little: bool
) -> Iterator[tuple[int, tuple[int, int, str]]]:
    """Yield section, and offset, size and name of each function; by hand, since pyelftools takes seconds for it."""
    names = data[strings["sh_offset"] : strings["sh_offset"] + strings["sh_size"]]
    layout = struct.Struct(("<" if little else ">") + "IBBHQQ")
    symbols = data[table["sh_offset"] : table["sh_offset"] + table["sh_size"]]
    for start, info, _, section, value, size in layout.iter_unpack(symbols[: len(symbols) // 24 * 24]):
        if info & 0xF == 2 and size:
            yield section, (value, size, names[start : names.index(b"\0", start)].decode(errors="backslashreplace"))
