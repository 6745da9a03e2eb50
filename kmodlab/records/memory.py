# SPDX-License-Identifier: MIT
"""Where a kernel's memory is: every loaded module by kind of section, the slab allocator, vmalloc."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from kmodlab.errors import RecordParseError
from kmodlab.records.elf import ModuleFile
from kmodlab.records.modules import LoadedModule, parse_modules
from kmodlab.records.table import Column, Rows, format_bytes

__all__ = ["MemoryChange", "MemoryFigure", "MemorySnapshot", "ModuleMemory"]

_PAGE = 4096
# The functions that get a module its own memory, by kernel: 6.1 says load_module, later ones the others.
_LOADER = re.compile(r"^(load_module|move_module|module_alloc|module_memory_alloc|layout_and_allocate|execmem_\w+)\+")
_CALLER_MODULE = re.compile(r"\[([A-Za-z0-9_]+)\]")


@dataclass(frozen=True, slots=True)
class ModuleMemory:
    """The memory of one loaded module, all in bytes.

    Attributes:
        name: the module.
        size: what it takes now, a whole number of pages (``/sys/module/NAME/coresize``).
        text: its code.
        rodata: its data that is never written.
        data: its data with initial values.
        bss: its data that starts as zeros.
        overhead: ``size`` less those four: its symbol names, and the rest of each last page.
        init: its init code and data, which the kernel frees once the module is live.
        init_held: what init code and data take now (``initsize``): 0 once they were freed.
        percpu: its per-CPU data, for one CPU; it lies outside the module's own memory.
        vmalloc: what its functions hold from ``vmalloc()``; what init code allocated is not among it, as the
            kernel no longer knows the name of a function that was freed.
        known: false if its file could not be read, so that only ``size`` is known, and the kinds are 0.
    """

    name: str
    size: int
    text: int = 0
    rodata: int = 0
    data: int = 0
    bss: int = 0
    overhead: int = 0
    init: int = 0
    init_held: int = 0
    percpu: int = 0
    vmalloc: int = 0
    known: bool = True

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "module"),
        *(Column(name, kind="bytes") for name in ("size", "text", "rodata", "data", "bss", "overhead")),
        Column("init_freed", "init (freed)", "bytes"),
    )

    @property
    def init_freed(self) -> int:
        """The bytes of init code and data that were freed after init; 0 while they are still held."""
        return 0 if self.init_held else self.init


@dataclass(frozen=True, slots=True)
class MemoryFigure:
    """One figure before and after, in bytes.

    Attributes:
        name: what it measures.
        before, after: the two values.
    """

    name: str
    before: int
    after: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "memory"),
        Column("before", kind="bytes"),
        Column("after", kind="bytes"),
        Column("change", kind="bytes"),
    )

    @property
    def change(self) -> int:
        """``after`` less ``before``."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """What differs between two snapshots.

    Attributes:
        loaded: the modules that have come.
        unloaded: the modules that have gone.
        figures: slab, vmalloc and the modules' own memory before and after. The whole kernel is counted, so
            a slab figure moves a little even when nothing was loaded.
    """

    loaded: Rows[ModuleMemory]
    unloaded: Rows[ModuleMemory]
    figures: Rows[MemoryFigure]

    def __str__(self) -> str:
        """Return the change as text."""
        return f"{self._headline()}\n{self.figures}"

    def _headline(self) -> str:
        parts = [f"+ {row.name} {format_bytes(row.size)}" for row in self.loaded]
        parts += [f"- {row.name} {format_bytes(row.size)}" for row in self.unloaded]
        return ", ".join(parts) or "no module came or went"

    def _repr_html_(self) -> str:
        """Return the figures as a table for a notebook."""
        rows = Rows(self.figures, caption=self._headline(), columns=MemoryFigure.COLUMNS)
        return rows._repr_html_()


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """Where the kernel's memory is at one moment.

    Attributes:
        modules: every loaded module, newest first.
        meminfo: the fields of ``/proc/meminfo`` that are sizes, in bytes: ``meminfo["Slab"]``.
        module_area: the pages that the module loader has for all modules, in bytes, from
            ``/proc/vmallocinfo``; ``None`` where that file could not be read.
        modules_tree: bytes of all module files of the distribution on disk, if known.
    """

    modules: Rows[ModuleMemory]
    meminfo: Mapping[str, int]
    module_area: int | None = None
    modules_tree: int | None = None

    PATHS: ClassVar[tuple[str, ...]] = (
        "/proc/modules",
        "/proc/meminfo",
        "/proc/vmallocinfo",
        "/sys/module/*/coresize",
        "/sys/module/*/initsize",
    )
    """The guest's files that ``from_files`` wants, as patterns of the shell."""

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, bytes],
        module_files: Mapping[str, ModuleFile] = MappingProxyType({}),
        *,
        modules_tree: int | None = None,
    ) -> MemorySnapshot:
        """Return the snapshot from the guest's files and from the files of its modules.

        Args:
            files: path in the guest to content, for the paths that ``PATHS`` names.
            module_files: the loaded modules' files by module name; a module without one has only its size.
            modules_tree: bytes of all module files on disk.

        Raises:
            RecordParseError: ``/proc/modules`` or ``/proc/meminfo`` is missing or not of its form.
        """
        loaded = parse_modules(_text(files, "/proc/modules"))
        pages, by_module = _vmallocinfo(_text(files, "/proc/vmallocinfo", optional=True))
        rows = [_module(row, files, module_files.get(row.name), by_module.get(row.name, 0)) for row in loaded]
        return cls(
            modules=Rows(rows, caption="Memory of the loaded modules", columns=ModuleMemory.COLUMNS),
            meminfo=MappingProxyType(_meminfo(_text(files, "/proc/meminfo"))),
            module_area=pages if "/proc/vmallocinfo" in files else None,
            modules_tree=modules_tree,
        )

    @property
    def slab(self) -> int:
        """Bytes of all slab caches, which serve ``kmalloc()``."""
        return self.meminfo["Slab"]

    @property
    def vmalloc(self) -> int:
        """Bytes in use from ``vmalloc()``."""
        return self.meminfo["VmallocUsed"]

    @property
    def modules_size(self) -> int:
        """Bytes that all loaded modules take together."""
        return sum(row.size for row in self.modules)

    def difference(self, before: MemorySnapshot) -> MemoryChange:
        """Return what has changed since an earlier snapshot."""
        old, new = {row.name for row in before.modules}, {row.name for row in self.modules}
        return MemoryChange(
            loaded=self.modules.filter(lambda row: row.name not in old),
            unloaded=before.modules.filter(lambda row: row.name not in new),
            figures=Rows(_figures(before, self), caption="Memory before and after", columns=MemoryFigure.COLUMNS),
        )

    def __str__(self) -> str:
        """Return the modules as a table and the kernel's totals below."""
        return f"{self.modules}\n{self._totals()}"

    def _totals(self) -> str:
        parts = [("slab", self.slab), ("vmalloc", self.vmalloc), ("all modules", self.modules_size)]
        if self.modules_tree is not None:
            parts.append(("module files on disk", self.modules_tree))
        return ", ".join(f"{name} {format_bytes(size)}" for name, size in parts)

    def _repr_html_(self) -> str:
        """Return the modules as a table for a notebook, the kernel's totals below."""
        return f"{self.modules._repr_html_()}<p>{self._totals()}</p>"


def _text(files: Mapping[str, bytes], path: str, *, optional: bool = False) -> str:
    if path not in files and not optional:
        raise RecordParseError(f"read {path}: not among the files given; gather those that MemorySnapshot.PATHS names")
    return files.get(path, b"").decode(errors="backslashreplace")


def _number(files: Mapping[str, bytes], path: str) -> int | None:
    text = files.get(path, b"").strip()
    return int(text) if text.isdigit() else None


def _module(row: LoadedModule, files: Mapping[str, bytes], file: ModuleFile | None, vmalloc: int) -> ModuleMemory:
    core = _number(files, f"/sys/module/{row.name}/coresize")
    init_held = _number(files, f"/sys/module/{row.name}/initsize") or 0
    size = row.size - init_held if core is None else core
    kinds = file.memory if file is not None else None
    kept = 0 if kinds is None else kinds["text"] + kinds["rodata"] + kinds["data"] + kinds["bss"]
    # Another build of the module than the one that is loaded would give figures that cannot be.
    if kinds is None or kept > size:
        return ModuleMemory(row.name, size, init_held=init_held, vmalloc=vmalloc, known=False)
    return ModuleMemory(
        name=row.name,
        size=size,
        text=kinds["text"],
        rodata=kinds["rodata"],
        data=kinds["data"],
        bss=kinds["bss"],
        overhead=size - kept,
        init=kinds["init"],
        init_held=init_held,
        percpu=kinds["other"],
        vmalloc=vmalloc,
    )


def _meminfo(text: str) -> dict[str, int]:
    """Return the sizes of ``/proc/meminfo`` in bytes; its counts (``HugePages_Total``) are left out."""
    fields = dict(re.findall(r"^([\w()]+):\s+([0-9]+) kB$", text, re.MULTILINE))
    missing = [name for name in ("MemTotal", "MemFree", "Slab", "VmallocUsed") if name not in fields]
    if missing:
        raise RecordParseError(
            f"read /proc/meminfo: {missing[0]} is missing; expected lines such as 'Slab: 17696 kB'", text=text[:200]
        )
    return {name: int(size) * 1024 for name, size in fields.items()}


def _vmallocinfo(text: str) -> tuple[int, dict[str, int]]:
    """Return the bytes of pages that the module loader holds, and what each module's functions hold."""
    loader, by_module = 0, dict[str, int]()
    for line in text.splitlines():
        found = re.search(r"\bpages=([0-9]+)\b", line)
        words = line.split(maxsplit=2)
        if found is None or len(words) < 3:
            continue
        size, caller = int(found[1]) * _PAGE, words[2]
        if _LOADER.match(caller):
            loader += size
        elif module := _CALLER_MODULE.search(caller):
            by_module[module[1]] = by_module.get(module[1], 0) + size
    return loader, by_module


def _figures(before: MemorySnapshot, after: MemorySnapshot) -> Iterator[MemoryFigure]:
    yield MemoryFigure("modules", before.modules_size, after.modules_size)
    for name, field in (
        ("slab", "Slab"),
        ("slab, unreclaimable", "SUnreclaim"),
        ("vmalloc", "VmallocUsed"),
        ("per-CPU", "Percpu"),
        ("free", "MemFree"),
    ):
        if field in before.meminfo and field in after.meminfo:
            yield MemoryFigure(name, before.meminfo[field], after.meminfo[field])
