# SPDX-License-Identifier: MIT
"""The kernel's trace buffer in its raw form: the pages of ``per_cpu/cpuN/trace_pipe_raw`` → events.

Nothing here knows an offset: where a page keeps its time and its length stands in ``events/header_page``, the
kinds of entries in ``events/header_event``, the fields of an event in its ``format`` file. What the kernel prints
as text would hide what matters: it hashes the pointers.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kmodlab.errors import RecordParseError

__all__ = ["EventFormat", "FieldFormat", "TraceEvent", "TraceFormat", "TracePages", "Value"]

Value = int | str | bytes | tuple[int, ...]
Order = Literal["little", "big"]

_FIELD = re.compile(
    r"^\tfield:(?P<text>[^;]*);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>[01]);)?"
)
_ARRAY = re.compile(r"^(?P<type>.*?)(?P<name>\w+)(?P<array>\[[^\]]*\])?$")
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}

# include/linux/ring_buffer.h and kernel/trace/ring_buffer.c: the flags that stand above the length of a page.
_MISSED, _MISSED_STORED, _LENGTH = 1 << 31, 1 << 30, (1 << 27) - 1
# An absolute time has 59 bits; the upper five are those of the time before it.
_STAMP_BITS = 59


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One event that the kernel traced.

    Attributes:
        seconds: when, on the trace's clock; exact to the nanosecond for the first 104 days.
        cpu: the processor on which it happened.
        name: the event's name, e.g. ``kmalloc``.
        fields: its fields by name, ``common_pid`` (the thread) among them. Numbers are int, text is str, an array
            of numbers a tuple.
    """

    seconds: float
    cpu: int
    name: str
    fields: Mapping[str, Value]

    def number(self, name: str) -> int:
        """Return a field that is a number; 0 if the event has no such field."""
        value = self.fields.get(name, 0)
        return value if isinstance(value, int) else 0


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """A field of an event, as its ``format`` file says.

    Attributes:
        name: the field's name.
        type: its C type.
        offset, size: where it lies in the event, in bytes.
        signed: whether numbers in it are signed.
        array: whether it is an array.
        dynamic: it holds where its content lies instead of the content: ``data_loc``, ``rel_loc``, or empty.
    """

    name: str
    type: str
    offset: int
    size: int
    signed: bool
    array: bool
    dynamic: str = ""


@dataclass(frozen=True, slots=True)
class EventFormat:
    """An event's ``format`` file.

    Attributes:
        name: e.g. ``kmalloc``.
        id: the number that marks the event in the buffer.
        fields: its fields, those common to all events first.
    """

    name: str
    id: int
    fields: tuple[FieldFormat, ...]

    @classmethod
    def parse(cls, text: str) -> EventFormat:
        """Read a ``format`` file.

        Raises:
            RecordParseError: it is none.
        """
        name, number = re.search(r"^name: (\S+)", text, re.M), re.search(r"^ID: (\d+)", text, re.M)
        if not name or not number:
            raise RecordParseError("read trace format: no name and ID in it; give a whole events/…/format file")
        return cls(name[1], int(number[1]), tuple(_fields(text)))


def _fields(text: str) -> Iterator[FieldFormat]:
    for line in text.splitlines():
        found = _FIELD.match(line)
        shape = _ARRAY.match(found["text"].strip()) if found else None
        if not found or not shape:
            continue
        kind, dynamic = shape["type"].strip(), ""
        for word in ("data_loc", "rel_loc"):
            if kind.startswith(f"__{word}"):
                kind, dynamic = kind.removeprefix(f"__{word}").strip(), word
        array = bool(shape["array"]) or kind.endswith("]")
        yield FieldFormat(
            shape["name"],
            kind.split("[")[0].strip(),
            int(found["offset"]),
            int(found["size"]),
            found["signed"] == "1",
            array,
            dynamic,
        )


class _Decoder:
    """Takes the fields of one kind of event out of a page."""

    def __init__(self, event: EventFormat, order: Order, word: int) -> None:
        self.name = event.name
        mark = "<" if order == "little" else ">"
        layout, at = mark, 0
        self._names: list[str] = []
        self._rest: list[tuple[FieldFormat, str]] = []
        for one in sorted(event.fields, key=lambda one: (one.offset, one.size)):
            if one.array and not one.dynamic:
                self._rest.append((one, self._code(mark, one, word)))
            elif one.offset >= at and one.size in _CODES:
                code = _CODES[one.size]
                layout += f"{one.offset - at}x" + (code if one.signed and not one.dynamic else code.upper())
                at = one.offset + one.size
                self._names.append(one.name)
                if one.dynamic:
                    self._rest.append((one, self._code(mark, one, word)))
        self._struct = struct.Struct(layout)
        # The kernel's stack is an array whose length stands beside it: the kernel declares it eight long, or empty.
        self._counted = event.name in ("kernel_stack", "user_stack") and "size" in self._names

    @staticmethod
    def _code(mark: str, one: FieldFormat, word: int) -> str:
        if one.type in ("char", "unsigned char", "signed char", "u8", "s8", "__u8") or "char" in one.type:
            return ""
        sizes = {"short": 2, "int": 4, "u16": 2, "u32": 4, "u64": 8, "s16": 2, "s32": 4, "s64": 8, "long long": 8}
        size = next((size for name, size in sizes.items() if one.type.endswith(name)), word)
        return mark + (_CODES[size] if one.signed else _CODES[size].upper())

    def decode(self, page: bytes, start: int, end: int) -> dict[str, Value]:
        """Return the fields of the event that lies from start to end.

        Raises:
            struct.error: it is shorter than its format.
        """
        if start + self._struct.size > end:
            raise struct.error("the event is shorter than its format")
        found: dict[str, Value] = dict(zip(self._names, self._struct.unpack_from(page, start), strict=True))
        for one, code in self._rest:
            found[one.name] = self._array(page, start, end, one, code, found)
        return found

    def _array(self, page: bytes, start: int, end: int, one: FieldFormat, code: str, found: dict[str, Value]) -> Value:
        at, size = start + one.offset, one.size
        if one.dynamic:
            place = found[one.name]
            assert isinstance(place, int)
            at = start + (place & 0xFFFF) + (one.offset + one.size if one.dynamic == "rel_loc" else 0)
            size = place >> 16
        stop = min(at + size, end)
        if self._counted and code:
            count = found["size"]
            assert isinstance(count, int)
            stop = min(at + max(count, 0) * struct.calcsize(code), end)
        if not code:
            raw = page[at:stop]
            return raw.split(b"\0", 1)[0].decode(errors="replace")
        width = struct.calcsize(code)
        count = max(stop - at, 0) // width
        return struct.unpack_from(f"{code[0]}{count}{code[1]}", page, at)


@dataclass(slots=True)
class TracePages:
    """What some pages of one processor's buffer hold.

    Attributes:
        events: in the order in which the processor wrote them.
        lost: how many events the kernel dropped since the buffer was full; -1 if it dropped some without a number.
        damaged: how many pages or events could not be read.
        unknown: how many events had an ID of which no format is known.
    """

    events: list[TraceEvent] = field(default_factory=list)
    lost: int = 0
    damaged: int = 0
    unknown: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not (self.lost or self.damaged or self.unknown)


class TraceFormat:
    """How one kernel lays out its trace buffer.

    Args:
        header_page: the file ``events/header_page``.
        header_event: the file ``events/header_event``.
        formats: the ``format`` files of the events that may come.
        order: the machine's byte order.

    Attributes:
        page_size: bytes of a page (a sub-buffer).
        events: the known events by ID.

    Raises:
        RecordParseError: a file is not what it should be.
    """

    def __init__(self, header_page: str, header_event: str, formats: Iterable[str], order: Order = "little") -> None:
        """Read the files."""
        page = {one.name: one for one in _fields(header_page)}
        bits = {name: int(value) for name, value in re.findall(r"^\s*(\w+)\s*:\s*(\d+) bits", header_event, re.M)}
        kinds = {name: int(value) for name, value in re.findall(r"^\s*(\w+)\s*: type == (\d+)", header_event, re.M)}
        longest = re.search(r"type_len max == (\d+)|max type_len\s*== (\d+)", header_event)
        try:
            self._stamp, self._commit, self._data = page["timestamp"], page["commit"], page["data"]
            self._type_bits, self._delta_bits = bits["type_len"], bits["time_delta"]
            self._padding, self._extend, self._absolute = (
                kinds["padding"],
                kinds["time_extend"],
                kinds.get("time_stamp", 31),
            )
        except KeyError as missing:
            raise RecordParseError(
                f"read trace format: no {missing} in header_page or header_event; give both files whole"
            ) from None
        if self._type_bits + self._delta_bits != 32 or not longest:
            raise RecordParseError("read trace format: entries of a form that is not known; tell which kernel it is")
        self._longest = int(longest[1] or longest[2])
        self._order: Order = order
        self.page_size = self._data.offset + self._data.size
        self.events = {one.id: one for one in map(EventFormat.parse, formats)}
        word = self._commit.size
        self._decoders = {one.id: _Decoder(one, order, word) for one in self.events.values()}
        common = next((one.fields for one in self.events.values()), ())
        kind = next((one for one in common if one.name == "common_type"), None)
        self._type = (kind.offset, kind.size) if kind else (0, 2)

    def read(self, cpu: int, data: bytes) -> TracePages:
        """Read pages as ``trace_pipe_raw`` gives them. It never raises: what cannot be read is counted."""
        result = TracePages()
        for start in range(0, len(data), self.page_size):
            page = data[start : start + self.page_size]
            try:
                self._read_page(cpu, page, result)
            except (struct.error, LookupError, ValueError):
                result.damaged += 1
        return result

    def _number(self, page: bytes, at: int, size: int) -> int:
        if at + size > len(page):
            raise ValueError("behind the end")
        return int.from_bytes(page[at : at + size], self._order)

    def _read_page(self, cpu: int, page: bytes, result: TracePages) -> None:
        now = self._number(page, self._stamp.offset, self._stamp.size)
        commit = self._number(page, self._commit.offset, self._commit.size)
        end = self._data.offset + (commit & _LENGTH)
        if commit & _MISSED:
            stored = bool(commit & _MISSED_STORED) and end + self._commit.size <= len(page)
            count = self._number(page, end, self._commit.size) if stored else 0
            result.lost = result.lost + count if count and result.lost >= 0 else -1
        if end > len(page):
            result.damaged += 1
            end = len(page)
        self._read_entries(cpu, page, now, end, result)

    def _read_entries(self, cpu: int, page: bytes, now: int, end: int, result: TracePages) -> None:
        at, order, little = self._data.offset, self._order, self._order == "little"
        type_bits, delta_bits = self._type_bits, self._delta_bits
        type_mask, delta_mask = (1 << type_bits) - 1, (1 << delta_bits) - 1
        type_at, type_size = self._type
        while at + 4 <= end:
            head = int.from_bytes(page[at : at + 4], order)
            kind, delta = (head & type_mask, head >> type_bits) if little else (head >> delta_bits, head & delta_mask)
            at += 4
            if kind == self._padding:
                if delta == 0:
                    return
                at += self._number(page, at, 4)
                now += delta
            elif kind == self._extend:
                now += (self._number(page, at, 4) << delta_bits) + delta
                at += 4
            elif kind == self._absolute:
                low = (self._number(page, at, 4) << delta_bits) + delta
                now = _absolute(now, low)
                at += 4
            else:
                start = at if kind else at + 4
                length = kind * 4 if kind else self._number(page, at, 4) - 4
                stop = start + length
                if length <= 0 or stop > end or kind > self._longest:
                    result.damaged += 1
                    return
                now += delta
                decoder = self._decoders.get(self._number(page, start + type_at, type_size))
                if decoder is None:
                    result.unknown += 1
                else:
                    try:
                        result.events.append(
                            TraceEvent(now / 1e9, cpu, decoder.name, decoder.decode(page, start, stop))
                        )
                    except (struct.error, LookupError):
                        result.damaged += 1
                at = (stop + 3) & ~3 if (stop - self._data.offset) % 4 else stop


def _absolute(before: int, low: int) -> int:
    """Complete a time of 59 bits by those of the time before it."""
    whole = (before >> _STAMP_BITS << _STAMP_BITS) | (low & ((1 << _STAMP_BITS) - 1))
    return whole if whole >= before else whole + (1 << _STAMP_BITS) if before >> _STAMP_BITS else whole
