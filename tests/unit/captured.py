# SPDX-License-Identifier: MIT
"""The captured data of a real kernel that the tests of the records read; its origin stands in its README."""

from __future__ import annotations

import json
from pathlib import Path

from kmodlab.records import Export, LoadedModule, MemorySnapshot, ModuleFile, Rows, Section, parse_modules, read_module

DATA = Path(__file__).resolve().parents[1] / "data" / "debian-6.1"


def data(name: str) -> str:
    """Return a captured text, its carriage returns as they were."""
    return (DATA / name).read_bytes().decode()


def guest_files(name: str) -> dict[str, bytes]:
    """Return the guest's files that a capture holds under ``=== PATH`` lines."""
    files = {}
    for part in data(name).split("=== ")[1:]:
        path, _, content = part.partition("\n")
        files[path] = content.encode()
    return files


def module_bytes(name: str) -> bytes:
    """Return the file of ``anatomy`` or ``leaner``, compressed as it lies there."""
    return (DATA / "modules" / f"{name}.ko.xz").read_bytes()


def module_files() -> dict[str, ModuleFile]:
    """Return the files of all modules that were loaded when ``memory-many.txt`` was captured."""
    files = {name: read_module(module_bytes(name)) for name in ("anatomy", "leaner")}
    for row in json.loads(data("module-files.json")):
        files[row["name"]] = ModuleFile(
            name=row["name"],
            sections=tuple(Section(*section) for section in row["sections"]),
            imports=tuple(row["imports"]),
            exports=tuple(Export(*export) for export in row["exports"]),
            modinfo=tuple((key, value) for key, value in row["modinfo"]),
            signed=row["signed"],
        )
    return files


def loaded_modules() -> Rows[LoadedModule]:
    """Return ``/proc/modules`` with 40 modules loaded."""
    return parse_modules(guest_files("memory-many.txt")["/proc/modules"].decode())


def snapshot(name: str) -> MemorySnapshot:
    """Return the memory ``before`` or with ``many`` modules."""
    return MemorySnapshot.from_files(guest_files(f"memory-{name}.txt"), module_files())
