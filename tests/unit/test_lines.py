# SPDX-License-Identifier: MIT
"""Lines of a module's source for the places in a trace: exact, with inlined functions, and never a guess."""

from __future__ import annotations

import dataclasses
import lzma
import re
from pathlib import Path

import pytest

from kmodlab.build.lines import ModuleCode, locate, with_lines
from kmodlab.build.places import place_frames
from kmodlab.errors import RecordParseError, SandboxError
from kmodlab.records.report import Frame, Report, parse_reports

DATA = Path(__file__).resolve().parents[1] / "data" / "reports"
SOURCES = DATA / "faulty"
KO = DATA / "captured" / "faulty.ko.xz"

# "/* LINE: name */" in the sources
MARKS = {
    (path.name, number): found[1]
    for path in SOURCES.glob("*.[ch]")
    for number, line in enumerate(path.read_text().split("\n"), 1)
    if (found := re.search(r"/\* LINE: ([\w -]+?) \*/", line))
}

# The lines of the trace's frames in the module's own source, innermost first: what faulted, and who called it.
EXPECTED = {
    "null-read": ["read", "null-read", "run", "write memory"],
    "null-write": ["store inline", "null-write", "run", "write memory"],
    "null-field": ["null-field", "run", "write memory"],
    "null-call": ["null-call", "run", "write memory"],
    "user-read": ["read", "user-read", "run", "write memory"],
    "wild-read": ["read", "wild-read", "run", "write memory"],
    "noncanonical": ["read", "noncanonical", "run", "write memory"],
    "const-write": ["const-write", "run", "write memory"],
    "string-null": ["string-null", "run", "write memory"],
    "bug": ["bug", "run", "write memory"],
    "warn": ["warn", "run", "write memory"],
    "warn-text": ["warn-text", "run", "write memory"],
    "panic": ["panic", "run", "write memory"],
    "divide": ["divide", "run", "write memory"],
    "invalid-opcode": ["invalid-opcode", "run", "write memory"],
    "breakpoint": ["breakpoint", "run", "write memory"],
    "list-twice": ["list-twice", "run", "write memory"],
    "list-deleted": ["list-deleted", "run", "write memory"],
    "refcount-zero": ["refcount-zero", "run", "write memory"],
    "refcount-under": ["refcount-under", "run", "write memory"],
    "huge-kmalloc": ["huge-kmalloc", "run", "write memory"],
    "usercopy": ["usercopy", "run", "write memory"],
    "fortify": ["fortify", "run", "write memory"],
    "stack-smash": ["stack-smash"],
    "init-null": ["store inline", "init-null", "init"],
    "init-warn": ["init-warn", "init"],
    "exit-warn": ["exit-warn"],
    "atomic-sleep": ["atomic-sleep", "run", "write time"],
    "loop": ["spin", "loop", "run", "write time"],
    "rcu-loop": ["spin", "rcu-loop", "run", "write time"],
    "timer": ["store inline", "timer"],
    "work": ["work"],
    "thread": ["thread"],
    # Calls in the last line of a function leave no frame of it: the compiler jumps. So the caller is named.
    "double-free": ["run", "write memory"],
    "helper-null": ["run", "write memory"],
    "vfree-twice": ["run", "write memory"],
    "wait": ["run", "write time"],
    "deadlock": ["run", "write time"],
}


@pytest.fixture(scope="module")
def code() -> ModuleCode:
    return ModuleCode.from_file(KO, [SOURCES])


def captured(name: str) -> tuple[Report, ...]:
    return parse_reports((DATA / "captured" / f"{name}.log").read_bytes().decode().partition("\n\n")[2])


def marks(report: Report) -> list[str]:
    own = [frame for frame in report.trace if frame.reliable and frame.file.startswith("faulty")]
    return [MARKS.get((one.file, one.line or 0), f"{one.file}:{one.line}") + " inline" * one.inline for one in own]


def test_every_capture_is_expected_somewhere() -> None:
    names = {path.stem for path in DATA.glob("captured/*.log")}
    assert names - set(EXPECTED) == {"data-call", "stack-overflow", "warn-once", "wild-free"}


@pytest.mark.build
@pytest.mark.parametrize("name", EXPECTED)
def test_the_lines_of_the_fault_and_of_its_callers(name: str, code: ModuleCode) -> None:
    report = with_lines(captured(name), [code])[0]
    assert marks(report) == EXPECTED[name]
    assert report.where is not None
    assert MARKS[report.where.file, report.where.line] == EXPECTED[name][0].removesuffix(" inline")
    assert f"LINE: {EXPECTED[name][0].removesuffix(' inline')}" in report.where.source
    assert report.where.source in dict(report.where.around)[report.where.line]
    assert 4 <= len(report.where.around) <= 7


@pytest.mark.build
def test_where_only_unsure_frames_are_left(code: ModuleCode) -> None:
    report = with_lines(captured("data-call"), [code])[0]
    assert report.where is not None
    assert MARKS[report.where.file, report.where.line] == "data-call"


@pytest.mark.build
def test_a_full_stack_is_the_fault_of_the_call_that_repeats(code: ModuleCode) -> None:
    report = with_lines(captured("stack-overflow"), [code])[0]
    assert report.where is not None
    assert MARKS[report.where.file, report.where.line] == "deeper"


@pytest.mark.build
def test_functions_of_the_kernels_headers_are_not_the_modules_own(code: ModuleCode) -> None:
    report = with_lines(captured("list-twice"), [code])[0]
    assert [(frame.function, frame.file) for frame in report.trace if frame.inline] == [
        ("__list_add", "include/linux/list.h"),
        ("list_add", "include/linux/list.h"),
    ]
    assert report.where is not None
    assert report.where.function == "list_twice"


@pytest.mark.build
@pytest.mark.parametrize(
    ("name", "function", "mark"),
    [
        ("atomic-sleep", "atomic_sleep", "atomic-sleep"),
        ("init-null", "faulty_init", "init"),
        ("panic", "oom_panic", "panic"),
        ("breakpoint", "breakpoint", "breakpoint"),
    ],
)
def test_a_return_address_is_one_too_far(name: str, function: str, mark: str, code: ModuleCode) -> None:
    """The very same address is another line, or lies in another function, where a call does not return to it."""
    called = next(frame for frame in captured(name)[0].trace if frame.function == function and not frame.exact)
    back, here = locate(code.data, [called, dataclasses.replace(called, exact=True)])
    assert MARKS[back[-1].file.rpartition("/")[2], back[-1].line] == mark
    assert (here[-1].function, here[-1].line) != (back[-1].function, back[-1].line)


@pytest.mark.build
def test_each_address_of_a_function_lies_in_it(code: ModuleCode) -> None:
    size = next(frame.size for frame in captured("warn")[0].trace if frame.function == "faulty_write") or 0
    frames = [Frame("faulty_write", offset, size, "faulty", exact=True) for offset in range(size)]
    first, last = _lines_of("faulty_main.c", "static ssize_t faulty_write")
    for chain in locate(code.data, frames):
        if chain:
            assert chain[-1].function == "faulty_write"
            assert first <= chain[-1].line <= last


def _lines_of(name: str, head: str) -> tuple[int, int]:
    lines = (SOURCES / name).read_text().split("\n")
    first = next(number for number, line in enumerate(lines, 1) if line.startswith(head))
    return first, next(number for number, line in enumerate(lines, 1) if number > first and line == "}")


@pytest.mark.build
def test_without_the_source_there_is_still_the_line() -> None:
    report = with_lines(captured("bug"), [ModuleCode.from_file(KO)])[0]
    assert report.where is not None
    assert (report.where.file, report.where.source, report.where.around) == ("faulty_memory.c", "", ())


def test_nothing_is_guessed(code: ModuleCode) -> None:
    places = place_frames(
        code.data,
        [
            Frame("faulty_write", 0x10, 0xE0, "faulty", exact=True),
            Frame("no_such_function", 0x10, 0xE0, "faulty"),
            Frame("faulty_write", 0x4000, 0xE0, "faulty"),
            Frame("faulty_write", 0x10, 0xF0, "faulty"),  # another build of the module: lines would be wrong
            Frame("faulty_write", None, None, "faulty"),
            Frame("held", 0, 4, "faulty"),
        ],
    )
    assert places[0] is not None
    assert places[1:] == [None] * 5


def test_functions_of_one_name_are_told_apart_by_their_size() -> None:
    data = _object([("twin", 0, 16), ("other", 16, 16), ("twin", 32, 48), ("end", 80, 16)])
    frames = [Frame("twin", 4, 16), Frame("twin", 4, 48), Frame("twin", 4, 7), Frame("end", 4, 4000)]
    assert place_frames(data, frames) == [(".text", 3), (".text", 35), None, (".text", 83)]


def _object(functions: list[tuple[str, int, int]]) -> bytes:
    """A relocatable file with a symbol table and nothing else."""
    import struct

    names = b"\0.text\0.symtab\0.strtab\0"
    strings, symbols = b"\0", struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for name, value, size in functions:
        symbols += struct.pack("<IBBHQQ", len(strings), 2, 0, 1, value, size)
        strings += name.encode() + b"\0"
    parts = [b"\x90" * 96, symbols, strings, names]
    offsets = [64 + sum(map(len, parts[:number])) for number in range(len(parts))]
    rows = [(0, 0, 0, 0, 0, 0, 0), (1, 1, 6, offsets[0], 96, 0, 0), (7, 2, 0, offsets[1], len(symbols), 3, 24)]
    rows += [(15, 3, 0, offsets[2], len(strings), 0, 0), (1, 3, 0, offsets[3], len(names), 0, 0)]
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, flags, 0, offset, size, link, 0, 1, entry)
        for name, kind, flags, offset, size, link, entry in rows
    )
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, offsets[3] + len(names), 0, 64, 0, 0, 64, 5, 4)
    )
    return head + b"".join(parts) + table


@pytest.mark.build
def test_a_hostile_module_costs_only_its_lines(code: ModuleCode) -> None:
    """Damaged debug information ends in an error of ours, or in no lines."""
    frames = [frame for frame in captured("warn")[0].trace if frame.module]
    start = code.data.index(b".debug_info") if b".debug_info" in code.data else len(code.data) // 2
    for cut in (
        code.data[: len(code.data) // 2],
        code.data[:5000],
        code.data[:start] + b"\xff" * 2000 + code.data[start + 2000 :],
    ):
        try:
            locate(cut, frames)
        except (RecordParseError, SandboxError) as error:
            assert str(error)


def test_the_source_is_read_only_below_its_folders(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.c").write_text("secret")
    (inside / "link.c").symlink_to(outside / "secret.c")
    (inside / "here.c").write_text("here")
    (inside / "passwd").write_text("no source")
    (inside / "faulty.ko").write_bytes(lzma.decompress(KO.read_bytes()))
    source = ModuleCode.from_file(inside / "faulty.ko").source
    assert source("here.c") == source("/build/here.c") == "here"
    for name in ("link.c", "../outside/secret.c", str(outside / "secret.c"), "passwd", "/etc/passwd", "/dev/zero", ""):
        assert source(name) is None, name


def test_what_is_no_module() -> None:
    with pytest.raises(RecordParseError, match="64-bit"):
        locate(b"text", [Frame("f", 1, 2)])
    with pytest.raises(RecordParseError, match="damaged"):
        locate(b"\x7fELF\x02\x01" + b"\xff" * 90, [Frame("f", 1, 2)])
