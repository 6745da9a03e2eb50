# SPDX-License-Identifier: MIT
"""What a machine's memory says, read from outside: the kernel's list of modules and its taint.

A module may patch whatever answers inside the guest: the agent, a system call, ``/proc``. This view asks nobody in the
guest. QEMU's monitor reads the virtual memory of the stopped machine, at addresses and offsets that were taken before
any module of a student's was loaded: symbols from the frozen machine, the layout of ``struct module`` from the
kernel's headers, by the compiler.
"""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import dataclass
from functools import cache as once

from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.errors import MachineError, MachineLost
from kmodlab.machine.emulator import Emulator
from kmodlab.records.taint import Taint

__all__ = ["SYMBOLS", "Outside", "find_symbols", "look"]

SYMBOLS = ("modules", "tainted_mask")
"""What must be known of ``/proc/kallsyms``."""

_LAYOUT = """
#include <linux/module.h>

const unsigned long kmodlab_layout[] = {
	offsetof(struct module, state), offsetof(struct module, list), offsetof(struct module, name),
};

static int __init layout_init(void)
{
	return kmodlab_layout[0] ? 0 : -EPERM;
}

module_init(layout_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Says how struct module is laid out; it is never loaded");
"""
_NAME_BYTES = 56  # MODULE_NAME_LEN of a 64-bit kernel
_MOST = 10_000  # a list that is longer has been tied into a knot
_TRIES = 100  # to find the machine while it runs its kernel
_BETWEEN_TRIES = 0.003
_STATES = ("Live", "Loading", "Unloading", "Unformed")  # enum module_state


@dataclass(frozen=True, slots=True)
class Outside:
    """The guest's kernel, seen in its memory.

    Attributes:
        modules: the names on the kernel's list, newest first.
        states: the state of each, in the words of ``/proc/modules``.
        taint: its taint flags.
        whole: false if the list does not come back to its head, so somebody has damaged it.
    """

    modules: tuple[str, ...]
    states: tuple[str, ...]
    taint: Taint
    whole: bool = True


@once
def _layout(kernel: KernelBuild) -> tuple[int, int, int]:
    """Offsets of ``state``, ``list`` and ``name`` in ``struct module``: what the compiler made of the headers."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    built = build(ModuleSource.from_text("kmodlab_layout", _LAYOUT), kernel)
    elf = ELFFile(io.BytesIO(built.path.read_bytes()))
    symbols = elf.get_section_by_name(".symtab")
    assert isinstance(symbols, SymbolTableSection)  # kbuild leaves it in, the loader needs it
    symbol = (symbols.get_symbol_by_name("kmodlab_layout") or [])[0]
    data = elf.get_section(symbol["st_shndx"]).data()
    state, link, name = (int.from_bytes(data[symbol["st_value"] + 8 * i :][:8], "little") for i in range(3))
    return state, link, name


async def find_symbols(emulator: Emulator, kernel: KernelBuild, newest: int, get_taint: int) -> dict[str, int]:
    """Return the addresses of `SYMBOLS` in a kernel that names only functions, as Debian's for arm64.

    The newest module comes right behind the head of the list; ``get_taint`` does nothing but read the mask.

    Args:
        emulator: the running machine, in which nothing of a stranger's was loaded yet.
        kernel: what it runs.
        newest: the address of the newest module's ``struct module``.
        get_taint: that of the function.

    Raises:
        MachineError: they cannot be found so.
    """
    link = newest + _layout(kernel)[1]
    await _stop_in_kernel(emulator, link)
    try:
        head = (await _read(emulator, link + 8, 1))[0]
        words = await _read(emulator, get_taint, 8)
    finally:
        await emulator.resume()
    code = b"".join(word.to_bytes(8, "little") for word in words)
    return {"modules": head, "tainted_mask": _loaded_address(code, get_taint)}


def _loaded_address(code: bytes, start: int) -> int:
    """The address that a few instructions of arm64 load from: ``adrp`` to a page, then ``ldr`` from a place in it.

    Raises:
        MachineError: there are no such two.
    """
    pages: dict[int, int] = {}
    for at in range(0, len(code), 4):
        word = int.from_bytes(code[at : at + 4], "little")
        if word & 0x9F000000 == 0x90000000:
            distance = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            distance -= (distance & 1 << 20) << 1
            pages[word & 31] = ((start + at) & ~0xFFF) + (distance << 12)
        elif word & 0xFFC00000 == 0xF9400000 and (base := word >> 5 & 31) in pages:
            return pages[base] + (word >> 10 & 0xFFF) * 8
    raise MachineError("find the kernel's taint: get_taint() is not as it was; this kernel cannot be read from outside")


async def look(emulator: Emulator, kernel: KernelBuild, symbols: dict[str, int]) -> Outside:
    """Stop the machine, read its memory, let it run on.

    Args:
        emulator: the running machine.
        kernel: what it runs.
        symbols: the addresses of `SYMBOLS`.

    Raises:
        MachineError: the memory cannot be read there.
    """
    layout = _layout(kernel)
    if set(SYMBOLS) - symbols.keys():
        raise MachineError(f"read the memory of {kernel.release}: it does not name its variables; use another kernel")
    go_on = emulator.doze if emulator.dozing else emulator.resume
    await _stop_in_kernel(emulator, symbols["modules"])
    try:
        modules, whole = await _walk(emulator, symbols["modules"], layout)
        taint = Taint((await _read(emulator, symbols["tainted_mask"], 1))[0])
    finally:
        await go_on()
    return Outside(tuple(name for name, _ in modules), tuple(state for _, state in modules), taint, whole)


async def _stop_in_kernel(emulator: Emulator, address: int) -> None:
    """Stop the machine where its memory can be read at an address of the kernel's.

    QEMU reads with the rights of what the processor is at; on arm64 a program has none on the kernel's memory. So the
    machine runs on a little, until the kernel has its turn.

    Raises:
        MachineError: it did not come.
    """
    await emulator.pause()
    for number in range(_TRIES):
        try:
            await emulator.monitor(f"cpu {number % emulator.hardware.cpus}")
            await _read(emulator, address, 1)
        except MachineLost:
            raise
        except MachineError:
            if number % emulator.hardware.cpus == emulator.hardware.cpus - 1:
                await emulator.resume()
                await asyncio.sleep(_BETWEEN_TRIES)
                await emulator.pause()
        else:
            return
    await emulator.resume()
    raise MachineError(f"read the guest's memory at {address:#x}: its processors are at programs only; try again")


async def _walk(emulator: Emulator, head: int, layout: tuple[int, int, int]) -> tuple[list[tuple[str, str]], bool]:
    """Follow the list of modules from its head; return names and states, and whether it comes back to the head."""
    state_at, link_at, name_at = layout
    words = (name_at + _NAME_BYTES) // 8
    found: list[tuple[str, str]] = []
    link = (await _read(emulator, head, 1))[0]
    seen = {head}
    while link not in seen and len(found) < _MOST:
        seen.add(link)
        try:
            record = b"".join(word.to_bytes(8, "little") for word in await _read(emulator, link - link_at, words))
        except MachineError:
            return found, False
        name = record[name_at : name_at + _NAME_BYTES].partition(b"\0")[0].decode(errors="backslashreplace")
        state = int.from_bytes(record[state_at : state_at + 4], "little")
        found.append((name, _STATES[state] if state < len(_STATES) else f"state {state}"))
        link = int.from_bytes(record[link_at : link_at + 8], "little")
    return found, link == head


async def _read(emulator: Emulator, address: int, words: int) -> list[int]:
    """Read 64-bit words of the guest's virtual memory."""
    text = await emulator.monitor(f"x /{words}gx {address:#x}")
    values = [int(word, 16) for line in text.splitlines() for word in re.findall(r"0x[0-9a-f]{16}", line)]
    if len(values) != words:
        raise MachineError(f"read the guest's memory at {address:#x}: {text.strip() or 'nothing there'}; try again")
    return values
