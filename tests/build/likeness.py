# SPDX-License-Identifier: MIT
"""Whether two modules are the same to a kernel, however they were built."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from kmodlab.build.architecture import architecture

__all__ = ["facts", "same"]

DIFFERENT = (".debug", ".rela.debug", ".note.gnu.build-id", ".comment")
"""What no kernel runs; its form depends on how the compiler came by its headers."""


def facts(content: bytes) -> dict[str, object]:
    """All that a kernel sees of a module: sections with content and relocations, and symbols."""
    elf = ELFFile(io.BytesIO(content))
    found: dict[str, object] = {}
    for section in elf.iter_sections():
        if section.name.startswith(DIFFERENT) or section.name in {".symtab", ".strtab", ".shstrtab"}:
            continue
        if isinstance(section, RelocationSection):
            symbols = elf.get_section(section["sh_link"])
            rows = [(one["r_offset"], one["r_info_type"], one["r_addend"], named(elf, symbols, one["r_info_sym"]))
                    for one in section.iter_relocations()]  # fmt: skip
            found[section.name] = rows
        else:
            found[section.name] = (section["sh_flags"], section["sh_addralign"], section.data())
    table = elf.get_section_by_name(".symtab")
    found["symbols"] = sorted(
        named(elf, table, number)
        for number, symbol in enumerate(table.iter_symbols())
        if symbol["st_info"]["type"] not in {"STT_SECTION", "STT_FILE"} and symbol.name
    )
    return found


def named(elf: ELFFile, table: object, number: int) -> tuple[str, ...]:
    symbol = table.get_symbol(number)  # type: ignore[attr-defined]
    index = symbol["st_shndx"]
    section = elf.get_section(index).name if isinstance(index, int) else index
    return (symbol.name, section, *map(str, (symbol["st_value"], symbol["st_size"], symbol["st_info"])))


def instructions(path: Path, content: bytes) -> dict[str, list[str]]:
    """The instructions of each function with what they refer to, sorted.

    Of two instructions that do not depend on each other the compiler takes the one or the other first, and which may
    hang on numbers that it gave to declarations while it read the headers.
    """
    path.write_bytes(content)
    kind = architecture(ELFFile(io.BytesIO(content)).get_machine_arch().replace("x64", "x86_64").lower())
    argv = [f"{kind.prefix}objdump", "-dr", "--no-show-raw-insn", "--no-addresses", str(path)]
    text = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    # A call's target stands in the relocation below it; what is shown beside it is only where the call itself is.
    text = re.sub(r"\bcall\s+<.*>$", "call", text, flags=re.MULTILINE)
    parts = re.split(r"^<(\S+)>:$", text, flags=re.MULTILINE)[1:]
    return {
        name: sorted(line.strip() for line in body.splitlines())
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def same(quick: bytes, reference: bytes, place: Path) -> bool:
    one, two = facts(quick), facts(reference)
    different = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    if {name for name in different if not re.search(r"text|orc|_loc|_sites", name)}:
        return False
    return not different or instructions(place, quick) == instructions(place, reference)
