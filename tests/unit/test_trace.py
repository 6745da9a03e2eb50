# SPDX-License-Identifier: MIT
"""Raw pages of the trace buffer: captured ones, made ones, damaged ones."""

from __future__ import annotations

import lzma
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmodlab.errors import RecordParseError
from kmodlab.records.trace import EventFormat, TraceFormat

DATA = Path(__file__).resolve().parents[1] / "data" / "trace-6.1"

HEADER_PAGE = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:{size};\tsigned:1;
"""
HEADER_EVENT = """\
# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
"""
COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
TICK = f"name: tick\nID: 7\nformat:\n{COMMON}\tfield:u64 value;\toffset:8;\tsize:8;\tsigned:0;\n"
STACK = (
    f"name: kernel_stack\nID: 4\nformat:\n{COMMON}\tfield:int size;\toffset:8;\tsize:4;\tsigned:1;\n"
    "\tfield:unsigned long caller[8];\toffset:16;\tsize:64;\tsigned:0;\n"
)
NAMED = (
    f"name: named\nID: 9\nformat:\n{COMMON}\tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:char comm[8];\toffset:12;\tsize:8;\tsigned:0;\n\tfield:short small;\toffset:20;\tsize:2;\tsigned:1;\n"
)


def texts() -> dict[str, str]:
    parts = (DATA / "formats.txt").read_text().split("=== ")[1:]
    return {name: content for name, _, content in (part.partition("\n") for part in parts)}


def captured_format() -> TraceFormat:
    files = texts()
    return TraceFormat(
        files["header_page"], files["header_event"], [text for name, text in files.items() if name.endswith("/format")]
    )


def captured(cpu: int) -> bytes:
    return lzma.decompress((DATA / f"cpu{cpu}.raw.xz").read_bytes())


def made_format(order: Any = "little", size: int = 4080) -> TraceFormat:
    return TraceFormat(HEADER_PAGE.format(size=size), HEADER_EVENT, [TICK, STACK, NAMED], order)


class Writer:
    """Writes a page as ring_buffer.c does."""

    def __init__(self, start: int, order: str = "little", size: int = 4080) -> None:
        self.now, self.start, self.order, self.size = start, start, "<" if order == "little" else ">", size
        self.data = b""

    def head(self, kind: int, delta: int) -> bytes:
        word = (delta << 5) | kind if self.order == "<" else (kind << 27) | delta
        return struct.pack(self.order + "I", word)

    def _delta(self, when: int) -> int:
        delta, self.now = when - self.now, when
        if delta >= 1 << 27:
            self.data += self.head(30, delta & ((1 << 27) - 1)) + struct.pack(self.order + "I", delta >> 27)
            return 0
        return delta

    def event(self, when: int, payload: bytes) -> None:
        payload += b"\0" * (-len(payload) % 4)
        delta = self._delta(when)
        if len(payload) <= 28 * 4:
            self.data += self.head(len(payload) // 4, delta) + payload
        else:
            self.data += self.head(0, delta) + struct.pack(self.order + "I", len(payload) + 4) + payload

    def tick(self, when: int, value: int, pid: int = 1) -> None:
        self.event(when, struct.pack(self.order + "HBBiQ", 7, 0, 0, pid, value))

    def page(self, flags: int = 0, tail: bytes = b"") -> bytes:
        head = struct.pack(self.order + "QQ", self.start, len(self.data) | flags)
        return (head + self.data + tail).ljust(16 + self.size, b"\0")


def test_the_captured_trace_is_read_whole() -> None:
    counts: Counter[str] = Counter()
    for cpu in range(2):
        pages = captured_format().read(cpu, captured(cpu))
        assert pages.whole
        assert all(one.cpu == cpu for one in pages.events)
        times = [one.seconds for one in pages.events]
        assert times == sorted(times)
        assert 0 < times[0] < times[-1] < 100
        counts.update(one.name for one in pages.events)
    made = ("kmalloc", "kmem_cache_alloc", "mm_page_alloc", "percpu_alloc_percpu", "vm_get", "skb_new", "cache_new")
    assert counts["kernel_stack"] == sum(counts[name] for name in made) > 2000
    assert counts["module_load"] == counts["module_free"] == 3


def test_captured_events_have_their_fields() -> None:
    events = [one for cpu in range(2) for one in captured_format().read(cpu, captured(cpu)).events]
    assert {one.fields["name"] for one in events if one.name == "module_load"} == {"leaky"}
    strings = [one for one in events if one.name == "kmalloc" and one.fields["bytes_req"] == 27]
    assert any(one.number("bytes_alloc") == 32 and one.number("ptr") > 1 << 63 for one in strings)
    for one in events:
        if one.name == "kernel_stack":
            caller = one.fields["caller"]
            assert isinstance(caller, tuple) and len(caller) == one.fields["size"]
            assert all(address > 1 << 63 or address == 0x7FFFFFFF for address in caller)


@pytest.mark.parametrize("order", ["little", "big"])
def test_kinds_of_entries(order: Any) -> None:
    page = Writer(1_000, order)
    page.tick(1_500, 1)
    page.tick(1_500 + (5 << 27), 2)
    page.data += page.head(29, 3) + struct.pack(page.order + "I", 12) + b"\xff" * 8
    page.now += 3
    page.data += page.head(31, (1 << 27) - 1) + struct.pack(page.order + "I", 99)
    page.now = (99 << 27) + (1 << 27) - 1
    page.tick(page.now + 7, 3)
    page.data += page.head(29, 0) + b"\xff" * 64
    read = made_format(order).read(3, page.page())
    assert read.whole
    expected = [(1_500, 1), (1_500 + (5 << 27), 2), ((99 << 27) + (1 << 27) - 1 + 7, 3)]
    assert [(round(one.seconds * 1e9), one.fields["value"]) for one in read.events] == expected


def test_a_stack_is_as_long_as_it_says() -> None:
    page = Writer(0)
    frames = tuple(range(1, 41))
    page.event(1, struct.pack("<HBBii4x40Q", 4, 0, 0, -5, 40, *frames))
    page.event(2, struct.pack("<HBBii4x3Q", 4, 0, 0, 6, 3, 1, 2, 3))
    read = made_format().read(0, page.page())
    assert [one.fields["caller"] for one in read.events] == [frames, (1, 2, 3)]
    assert read.events[0].fields["common_pid"] == -5


def test_texts_beside_and_inside_an_event() -> None:
    page = Writer(0)
    page.event(
        1,
        struct.pack("<HBBi", 9, 0, 0, 1) + struct.pack("<I", (6 << 16) | 22) + b"comm\0xxx" + b"\xff\xff" + b"hello\0",
    )
    fields = made_format().read(0, page.page()).events[0].fields
    assert (fields["name"], fields["comm"], fields["small"]) == ("hello", "comm", -1)


def test_lost_events_are_counted() -> None:
    page = Writer(0)
    page.tick(1, 1)
    stored = page.page(flags=(1 << 31) | (1 << 30), tail=struct.pack("<Q", 77))
    read = made_format().read(0, stored + stored)
    assert (read.lost, len(read.events), read.whole) == (154, 2, False)
    assert made_format().read(0, stored + page.page(flags=1 << 31)).lost == -1


def test_pages_of_another_size() -> None:
    page = Writer(0, size=16368)
    for number in range(600):
        page.tick(number, number)
    read = made_format(size=16368).read(0, page.page() * 2)
    assert read.whole and len(read.events) == 1200


def test_unknown_events_and_half_pages_are_counted() -> None:
    page = Writer(0)
    page.event(1, struct.pack("<HBBiQ", 1234, 0, 0, 1, 5))
    page.tick(2, 2)
    read = made_format().read(0, page.page() + page.page()[:30])
    assert (read.unknown, len(read.events)) == (1, 1) and read.damaged


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, (1 << 64) - 1)), max_size=100), st.booleans())
def test_what_is_written_is_read(steps: list[tuple[int, int]], big: bool) -> None:
    order: Any = "big" if big else "little"
    page, now, expected = Writer(10, order), 10, []
    for step, value in steps:
        now += step
        page.tick(now, value)
        expected.append((now, value))
    read = made_format(order).read(0, page.page())
    assert read.whole
    assert [(round(one.seconds * 1e9), one.fields["value"]) for one in read.events] == expected


@settings(max_examples=300)
@given(
    st.integers(0, 1), st.integers(0, 70), st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=20)
)
def test_damage_never_raises(cpu: int, number: int, changes: list[tuple[int, int]]) -> None:
    page = bytearray(PAGES[cpu][number * 4096 : (number + 1) * 4096] or PAGES[cpu][:4096])
    for at, value in changes:
        page[at] = value
    read = FORMAT.read(cpu, bytes(page))
    assert len(read.events) <= 4096


@given(st.binary(max_size=9000))
def test_any_bytes_never_raise(data: bytes) -> None:
    FORMAT.read(0, data)


def test_a_damaged_page_does_not_hide_the_next() -> None:
    page = Writer(0)
    page.tick(1, 1)
    broken = bytearray(page.page())
    broken[16:20] = page.head(28, 0)
    read = made_format().read(0, bytes(broken) + page.page())
    assert (read.damaged, len(read.events)) == (1, 1)


def test_what_is_no_format_is_refused() -> None:
    with pytest.raises(RecordParseError, match="no name and ID"):
        EventFormat.parse("field: nothing")
    with pytest.raises(RecordParseError, match="header_page"):
        TraceFormat("", HEADER_EVENT, [])
    with pytest.raises(RecordParseError):
        TraceFormat(HEADER_PAGE.format(size=4080), "", [])


FORMAT, PAGES = captured_format(), [captured(0), captured(1)]
