# SPDX-License-Identifier: MIT
"""Module files: a real ``.ko`` that kbuild made, whole, compressed, cut and damaged."""

from __future__ import annotations

import gzip
import lzma
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.errors import RecordParseError
from kmodlab.records import Export, ModInfo, read_module
from tests.parts import program
from tests.unit.captured import module_bytes

ANATOMY = lzma.decompress(module_bytes("anatomy"))


def test_sections_by_kind() -> None:
    file = read_module(ANATOMY)
    assert file.name == "anatomy"
    assert 16384 < file.memory["bss"] < 16384 + 64
    assert 8192 < file.memory["rodata"] < 8192 + 1024
    assert 4096 < file.memory["data"] < 4096 + 1024
    assert 2048 < file.memory["init"] < 2048 + 512
    assert file.memory["other"] == 8
    assert 0 < file.memory["text"] < 512
    assert {section.name for section in file.sections} & {".modinfo", "__versions", ".comment"} == set()


def test_sizes_agree_with_binutils(tmp_path: Path) -> None:
    tool = program("build", "readelf")
    (tmp_path / "anatomy.ko").write_bytes(ANATOMY)
    command = [tool, "--section-headers", "--wide", str(tmp_path / "anatomy.ko")]
    shown = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    rows = re.findall(
        r"^ +\[ *[0-9]+\] (\S+) +\S+ +[0-9a-f]{16} [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +\w*A", shown, re.MULTILINE
    )
    wanted = {name: int(size, 16) for name, size in rows if int(size, 16)}
    del wanted[".modinfo"], wanted["__versions"]
    assert {section.name: section.size for section in read_module(ANATOMY).sections} == wanted


def test_symbols_in_and_out() -> None:
    anatomy, leaner = read_module(ANATOMY), read_module(module_bytes("leaner"))
    assert anatomy.exports == (
        Export("anatomy_spaced", True, "ANATOMY"),
        Export("anatomy_sum", True),
        Export("anatomy_zero", False),
    )
    assert {"vmalloc", "_printk", "param_ops_int"} <= set(anatomy.imports)
    assert {"anatomy_sum", "anatomy_spaced"} <= set(leaner.imports)
    assert "anatomy_zero" not in leaner.imports
    assert leaner.exports == ()


def test_every_packing_gives_the_same() -> None:
    whole = read_module(ANATOMY)
    assert read_module(module_bytes("anatomy")) == whole
    assert read_module(gzip.compress(ANATOMY)) == whole
    assert read_module(lzma.compress(ANATOMY, check=lzma.CHECK_CRC32)) == whole


def test_a_bigger_array_shows() -> None:
    """The numbers come from the file: one byte more in a section's header is one byte more in the sum."""
    bss = next(section for section in read_module(ANATOMY).sections if section.name == ".bss")
    field = ANATOMY.rindex(bss.size.to_bytes(8, "little"))
    bigger = ANATOMY[:field] + (bss.size + 1).to_bytes(8, "little") + ANATOMY[field + 8 :]
    assert read_module(bigger).memory["bss"] == read_module(ANATOMY).memory["bss"] + 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (ANATOMY[:100], "cut"),
        (ANATOMY[:-200], "cut"),
        (module_bytes("anatomy")[:-40], "cut"),
        (gzip.compress(ANATOMY)[:-40], "cut"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "zstd"),
        (b"\xfd7zXZ\x00" + bytes(20), "damaged"),
    ],
)
def test_what_is_no_whole_module_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(RecordParseError, match=words):
        read_module(data)


@given(st.lists(st.tuples(st.integers(0, len(ANATOMY) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_file_gives_a_record_or_the_one_error(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(ANATOMY)
    for at, byte in changes:
        damaged[at] = byte
    try:
        file = read_module(bytes(damaged))
    except RecordParseError:
        return
    assert sum(file.memory.values()) == sum(section.size for section in file.sections)


@given(st.integers(0, 63), st.integers(0, 255))
def test_a_damaged_header_gives_a_record_or_the_one_error(at: int, byte: int) -> None:
    damaged = bytearray(ANATOMY)
    damaged[at] = byte
    try:
        read_module(bytes(damaged))
    except RecordParseError as error:
        assert "read module" in str(error)


def test_modinfo_as_modinfo_prints_it() -> None:
    info = ModInfo.from_file(read_module(ANATOMY), "/root/anatomy.ko")
    assert info.license == "GPL"
    assert set(info.author) == {"First Author", "Second Author"}
    assert info.release == "6.1.0-56-amd64"
    assert (info.intree, info.signed, info.depends) == (False, False, ())
    assert {parameter.name: parameter.type for parameter in info.parameters} == {
        "size": "int",
        "name": "charp",
        "oops": "bool",
    }
    lines = str(info).splitlines()
    assert lines[0] == "filename:       /root/anatomy.ko"
    assert "parm:           size:bytes to keep, 1 to 65536 (int)" in lines
    assert "parm:           name:charp" in lines
    assert "<caption" in info._repr_html_()
    leaner = ModInfo.from_file(read_module(module_bytes("leaner")))
    assert (leaner.depends, leaner.namespaces, leaner.softdep) == (("anatomy",), ("ANATOMY",), ("pre: xor",))


def test_modinfo_has_the_sections_the_largest_first() -> None:
    file = read_module(ANATOMY)
    sections = ModInfo.from_file(file).sections
    assert set(sections) == {section for section in file.sections if section.size}
    assert [section.size for section in sections] == sorted((section.size for section in sections), reverse=True)
    assert str(sections).startswith("Sections of anatomy.ko")


def test_a_signature_is_noticed() -> None:
    assert not read_module(ANATOMY).signed
    assert read_module(ANATOMY + b"~Module signature appended~\n").signed
