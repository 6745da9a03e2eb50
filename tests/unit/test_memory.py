# SPDX-License-Identifier: MIT
"""Where the kernel's memory is, from a real kernel's files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmodlab.errors import RecordParseError
from kmodlab.records import MemorySnapshot, Section
from tests.unit.captured import guest_files, module_files, snapshot


def test_every_module_is_there_with_what_it_takes() -> None:
    memory = snapshot("many")
    anatomy = memory.modules.named("anatomy")
    assert len(memory.modules) == 40
    assert anatomy.size == 45056
    assert 16384 < anatomy.bss < 16384 + 64
    assert anatomy.init_held == 0
    assert anatomy.init_freed == anatomy.init > 2048
    assert anatomy.percpu == 8


def test_the_parts_add_up_and_nothing_is_negative() -> None:
    for row in snapshot("many").modules:
        assert row.known, row.name
        assert row.text + row.rodata + row.data + row.bss + row.overhead == row.size
        assert row.size % 4096 == 0
        assert min(row.text, row.rodata, row.data, row.bss, row.overhead) >= 0


def test_two_ways_to_count_the_module_area_agree() -> None:
    """The loader's pages in vmallocinfo and the modules' own sizes are two accounts of the same memory."""
    memory = snapshot("many")
    assert memory.module_area == memory.modules_size > 5_000_000


def test_meminfo_is_in_bytes() -> None:
    memory = snapshot("many")
    assert memory.meminfo["MemTotal"] == 466396 * 1024
    assert memory.slab == memory.meminfo["SReclaimable"] + memory.meminfo["SUnreclaim"]
    assert memory.vmalloc > memory.modules_size
    assert "HugePages_Total" not in memory.meminfo


def test_difference() -> None:
    change = snapshot("many").difference(snapshot("before"))
    assert {"anatomy", "leaner", "btrfs", "xor"} <= {row.name for row in change.loaded}
    assert change.unloaded == ()
    modules = change.figures.named("modules")
    assert modules.change == sum(row.size for row in change.loaded)
    assert change.figures.named("vmalloc").change >= modules.change
    back = snapshot("before").difference(snapshot("many"))
    assert {row.name for row in back.unloaded} == {row.name for row in change.loaded}
    assert "+ anatomy 44 kB" in str(change)
    assert "<table" in change._repr_html_()


def test_a_bigger_array_in_the_file_moves_the_numbers() -> None:
    files = module_files()
    bigger = (*files["anatomy"].sections, Section(".bss", 4096, "bss"))
    files["anatomy"] = replace(files["anatomy"], sections=bigger)
    changed = MemorySnapshot.from_files(guest_files("memory-many.txt"), files).modules.named("anatomy")
    plain = snapshot("many").modules.named("anatomy")
    assert changed.bss == plain.bss + 4096
    assert changed.overhead == plain.overhead - 4096


def test_a_file_that_cannot_be_the_loaded_module_is_not_believed() -> None:
    files = module_files()
    files["anatomy"] = replace(files["anatomy"], sections=(Section(".bss", 10**6, "bss"),))
    row = MemorySnapshot.from_files(guest_files("memory-many.txt"), files).modules.named("anatomy")
    assert (row.known, row.size, row.bss) == (False, 45056, 0)


def test_without_module_files_the_sizes_remain() -> None:
    memory = MemorySnapshot.from_files(guest_files("memory-many.txt"))
    assert {row.known for row in memory.modules} == {False}
    assert memory.modules_size == snapshot("many").modules_size


def test_init_memory_that_is_still_held() -> None:
    files = guest_files("memory-many.txt")
    files["/sys/module/anatomy/initsize"] = b"12288\n"
    row = MemorySnapshot.from_files(files, module_files()).modules.named("anatomy")
    assert (row.size, row.init_held, row.init_freed) == (45056, 12288, 0)


def test_vmalloc_by_a_module() -> None:
    files = guest_files("memory-many.txt")
    line = "0x00000000aaaaaaaa-0x00000000bbbbbbbb   69632 anatomy_keep+0x1f/0x40 [anatomy] pages=16 vmalloc N0=16\n"
    files["/proc/vmallocinfo"] += line.encode()
    assert MemorySnapshot.from_files(files).modules.named("anatomy").vmalloc == 16 * 4096


@pytest.mark.parametrize("path", ["/proc/modules", "/proc/meminfo"])
def test_a_file_that_is_missing_is_named(path: str) -> None:
    files = guest_files("memory-many.txt")
    del files[path]
    with pytest.raises(RecordParseError, match=path):
        MemorySnapshot.from_files(files)


def test_meminfo_that_is_cut_is_refused() -> None:
    files = guest_files("memory-many.txt")
    files["/proc/meminfo"] = files["/proc/meminfo"][:100]
    with pytest.raises(RecordParseError, match="/proc/meminfo: Slab is missing"):
        MemorySnapshot.from_files(files)


def test_the_table_shows_the_totals() -> None:
    memory = MemorySnapshot.from_files(guest_files("memory-many.txt"), module_files(), modules_tree=391 << 20)
    assert "module files on disk 391 MiB" in str(memory)
    assert "init (freed)" in memory._repr_html_()
