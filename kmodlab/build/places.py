# SPDX-License-Identifier: MIT
"""Where in a module's file the places of a trace are: function and offset to section and offset."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kmodlab.errors import RecordParseError
from kmodlab.records.report import Frame

__all__ = ["place_frames"]

_LONGEST_NAME = 1024


def place_frames(data: bytes, frames: Sequence[Frame]) -> list[tuple[str, int] | None]:
    """Return section and offset of each frame, one byte back for a call's return address; None where not certain.

    Raises:
        RecordParseError: the module is not a 64-bit little-endian object file, or is damaged.
    """
    symbols = _symbols(data)
    return [_place(frame, symbols) for frame in frames]


@dataclass(frozen=True, slots=True)
class _Symbol:
    """A function.

    Attributes:
        section: in which it lies.
        value: bytes from the section's start.
        room: bytes up to the next symbol, which is how the kernel counts a function's size.
        last: true if no other follows in the section; the kernel then counts on to what lies behind the section.
    """

    section: str
    value: int
    room: int
    last: bool

    def may_be(self, frame: Frame) -> bool:
        """Whether the frame can be of this function, which a module built anew may have changed.

        A frame without a size was not read from a log: it comes from the module as it is loaded.
        """
        fits = frame.size in (None, self.room) or (self.last and (frame.size or 0) > self.room)
        return fits and frame.offset is not None and frame.offset <= self.room


def _symbols(data: bytes) -> Mapping[str, list[_Symbol]]:
    """The functions of a module by name; static ones in different files may share a name.

    Raises:
        RecordParseError: it is not a 64-bit little-endian object file, or is damaged.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        raise RecordParseError("read symbols: not a 64-bit little-endian ELF file; give the .ko itself")
    try:
        return _read_symbols(data)
    except (struct.error, IndexError, OverflowError, ValueError) as error:
        raise RecordParseError("read symbols: the module is cut or damaged; build it again") from error


def _read_symbols(data: bytes) -> Mapping[str, list[_Symbol]]:
    offset, (size, count, names) = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, offset + number * size) for number in range(count)]

    def text(table: int, at: int) -> str:
        start = headers[table][4] + at
        return data[start : data.index(b"\0", start, start + _LONGEST_NAME)].decode(errors="backslashreplace")

    rows: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for header in headers:
        if header[1] != 2:  # SHT_SYMTAB
            continue
        table = data[header[4] : header[4] + header[5]]
        for name, info, _, index, value, _ in struct.iter_unpack("<IBBHQQ", table[: len(table) // 24 * 24]):
            if name and 0 < index < count and headers[index][2] & 4:  # SHF_EXECINSTR
                spelt = text(header[6], name)
                if info & 15 in (0, 2) and not spelt.startswith(("$", ".L")):  # NOTYPE, FUNC; marks of the assembler
                    rows[index].append((value, spelt))
    found: dict[str, list[_Symbol]] = defaultdict(list)
    for index, entries in rows.items():
        section, end = text(names, headers[index][0]), headers[index][5]
        starts = sorted({value for value, _ in entries} | {end})
        following = dict(zip(starts, [*starts[1:], end], strict=True))
        for value, name in entries:
            after = following[value]
            found[name].append(_Symbol(section, value, after - value, after == end))
    return found


def _place(frame: Frame, symbols: Mapping[str, Sequence[_Symbol]]) -> tuple[str, int] | None:
    """Section and offset of a frame; None where that is not certain."""
    if frame.offset is None or frame.inline:
        return None
    chosen = {(one.section, one.value) for one in symbols.get(frame.function, ()) if one.may_be(frame)}
    if len(chosen) != 1:
        return None
    ((section, value),) = chosen
    back = 0 if frame.exact or frame.offset == 0 else 1
    return section, value + frame.offset - back
