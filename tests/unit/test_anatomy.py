# SPDX-License-Identifier: MIT
"""A module's file taken apart, and where modules lie among the addresses."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from kmodlab.errors import RecordParseError
from kmodlab.records.address_space import AddressSpace
from kmodlab.records.anatomy import read_anatomy
from kmodlab.records.elf import unpacked
from kmodlab.records.modules import parse_modules
from tests.unit.captured import module_bytes

PLACES = Path(__file__).parents[1] / "data" / "address-space"


def space(release: str) -> AddressSpace:
    loaded = parse_modules((PLACES / f"modules-{release}.txt").read_text())
    return AddressSpace.from_files((PLACES / f"kcore-{release}.bin").read_bytes(), loaded)


def test_the_parts_of_a_file_are_its_sections() -> None:
    parts = read_anatomy(module_bytes("anatomy"))
    assert parts.name == "anatomy"
    assert parts.size == len(unpacked(module_bytes("anatomy")))
    # Behind the parts come only the header, the table of sections and the gaps between them.
    assert 0.8 * parts.size < sum(part.size for part in parts.parts) < parts.size
    sizes = {part.use: part.size for part in parts.parts}
    memory = parts.file.memory
    assert sizes["init"] == memory["init"]
    assert sizes["kept"] == sum(memory.values()) - memory["init"] - memory["bss"]
    assert "debug" not in sizes  # the captured file was stripped
    assert [row.size for row in parts.sections] == sorted((row.size for row in parts.sections), reverse=True)


def test_relocations_name_what_the_loader_must_find() -> None:
    parts = read_anatomy(module_bytes("leaner"))
    targets = {row.name: row for row in parts.relocations}
    outside = {row.name for row in parts.relocations if row.imported}
    # Every symbol that it imports has a place at which it is used, and no other name is outside.
    assert outside == set(parts.file.imports)
    assert targets["_printk"].places >= 1
    assert not targets[".exit.text"].imported
    assert "anatomy" in "".join(outside)


def test_a_damaged_file_is_refused_as_such() -> None:
    data, dice = bytearray(unpacked(module_bytes("leaner"))), random.Random(3)
    for _ in range(60):
        at = dice.randrange(len(data))
        was, data[at] = data[at], dice.randrange(256)
        with contextlib.suppress(RecordParseError):
            read_anatomy(bytes(data))
        data[at] = was
    with pytest.raises(RecordParseError):
        read_anatomy(bytes(data[:5000]))


@pytest.mark.parametrize("release", ["6.1", "6.12"])
def test_the_areas_are_those_of_the_kernels_documentation(release: str) -> None:
    """`Documentation/arch/x86/x86_64/mm.rst` has these numbers, for four levels of page tables and without KASLR."""
    found = space(release)
    starts = {area.kind: area.start for area in found.areas}
    assert starts["direct"] & ~0xFFFF == 0xFFFF888000000000
    assert (starts["vmalloc"], starts["memmap"]) == (0xFFFFC90000000000, 0xFFFFEA0000000000)
    assert (starts["kernel"], starts["modules"]) == (0xFFFFFFFF81000000, 0xFFFFFFFFC0000000)
    assert [area.start for area in found.areas] == sorted(starts.values())
    home, ram = found.area("modules"), found.area("direct")
    assert home is not None
    assert all(home.start <= row.start < row.end <= home.end for row in found.modules)
    assert "scribble" in {row.module for row in found.modules}
    assert ram is not None
    assert 255 << 20 < ram.size < 257 << 20


def test_hidden_addresses_are_left_out_and_other_files_refused() -> None:
    hidden = parse_modules("scribble 16384 0 - Live 0x0000000000000000 (OE)\n")
    assert AddressSpace.from_files((PLACES / "kcore-6.1.bin").read_bytes(), hidden).modules == ()
    for content in (b"", b"\x7fELF", (PLACES / "kcore-6.1.bin").read_bytes()[:300]):
        with pytest.raises(RecordParseError, match="kcore"):
            AddressSpace.from_files(content, [])
