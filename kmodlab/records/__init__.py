# SPDX-License-Identifier: MIT
"""What the kernel says, as frozen records: text or bytes in, dataclasses out; nothing here touches a machine.

The names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmodlab.records.dependencies import Dependency, DependencyGraph, DependencyNode
    from kmodlab.records.elf import Export, ModuleFile, Section, read_module
    from kmodlab.records.kmsg import ConsoleParser, KernelLog, KmsgRecord, parse_console, parse_kmsg
    from kmodlab.records.memory import MemoryChange, MemoryFigure, MemorySnapshot, ModuleMemory
    from kmodlab.records.modinfo import ModInfo, ModuleParameter
    from kmodlab.records.modules import LoadedModule, parse_modules
    from kmodlab.records.report import Frame, Report, parse_reports
    from kmodlab.records.table import Column, Rows, format_bytes
    from kmodlab.records.taint import Taint, TaintFlag, parse_taint

__all__ = [
    "Column",
    "ConsoleParser",
    "Dependency",
    "DependencyGraph",
    "DependencyNode",
    "Export",
    "Frame",
    "KernelLog",
    "KmsgRecord",
    "LoadedModule",
    "MemoryChange",
    "MemoryFigure",
    "MemorySnapshot",
    "ModInfo",
    "ModuleFile",
    "ModuleMemory",
    "ModuleParameter",
    "Report",
    "Rows",
    "Section",
    "Taint",
    "TaintFlag",
    "format_bytes",
    "parse_console",
    "parse_kmsg",
    "parse_modules",
    "parse_reports",
    "parse_taint",
    "read_module",
]

_HOME = {
    "Column": "table",
    "ConsoleParser": "kmsg",
    "Dependency": "dependencies",
    "DependencyGraph": "dependencies",
    "DependencyNode": "dependencies",
    "Export": "elf",
    "Frame": "report",
    "KernelLog": "kmsg",
    "KmsgRecord": "kmsg",
    "LoadedModule": "modules",
    "MemoryChange": "memory",
    "MemoryFigure": "memory",
    "MemorySnapshot": "memory",
    "ModInfo": "modinfo",
    "ModuleFile": "elf",
    "ModuleMemory": "memory",
    "ModuleParameter": "modinfo",
    "Report": "report",
    "Rows": "table",
    "Section": "elf",
    "Taint": "taint",
    "TaintFlag": "taint",
    "format_bytes": "table",
    "parse_console": "kmsg",
    "parse_kmsg": "kmsg",
    "parse_modules": "modules",
    "parse_reports": "report",
    "parse_taint": "taint",
    "read_module": "elf",
}


def __getattr__(name: str) -> object:
    """Load a public name from the file that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, also those not loaded yet."""
    return sorted(__all__)
