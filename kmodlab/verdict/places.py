# SPDX-License-Identifier: MIT
"""Which module comes first, and which line of the source a report or a leak belongs to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.lines import ModuleCode, with_lines
from kmodlab.errors import HostSetupError, RecordParseError, SandboxError
from kmodlab.records import symbols
from kmodlab.records.kmsg import KmsgRecord
from kmodlab.records.ledger import Allocation
from kmodlab.records.report import Frame, Report, Where, parse_reports
from kmodlab.records.report.frames import bare_name
from kmodlab.records.table import format_bytes
from kmodlab.verdict.record import Leak

__all__ = ["leaks_of", "load_order", "needed", "reports_in"]


def load_order(modules: Sequence[ModuleArtifact]) -> tuple[ModuleArtifact, ...]:
    """Return modules such that each comes after those whose symbols it uses; else in the order they have."""
    exporters = {export.name: module.name for module in modules for export in module.file.exports}
    by_name = {module.name: module for module in modules}
    order: dict[str, ModuleArtifact] = {}
    pending: set[str] = set()

    def visit(name: str) -> None:
        if name in order or name in pending:
            return
        pending.add(name)
        for symbol in by_name[name].file.imports:
            if symbol in exporters:
                visit(exporters[symbol])
        order[name] = by_name[name]

    for module in modules:
        visit(module.name)
    return tuple(order.values())


def needed(modules: Sequence[ModuleArtifact]) -> tuple[str, ...]:
    """Return the modules of the kernel's own tree that these need (``depends`` in their modinfo)."""
    own = {module.name for module in modules}
    texts = [text for module in modules for key, text in module.file.modinfo if key == "depends" and text]
    names = dict.fromkeys(name.replace("-", "_") for text in texts for name in text.split(","))
    return tuple(name for name in names if name not in own)


def _lined(reports: Iterable[Report], modules: Sequence[ModuleArtifact]) -> tuple[Report, ...]:
    """Add file and line where that can be had; what happened is known without."""
    rows = tuple(reports)
    with contextlib.suppress(RecordParseError, SandboxError, HostSetupError, OSError):
        return tuple(with_lines(rows, [ModuleCode.from_artifact(module) for module in modules]))
    return rows


def reports_in(records: Sequence[KmsgRecord], modules: Sequence[ModuleArtifact]) -> tuple[Report, ...]:
    """Return what the kernel reported in its log, with the lines of the modules' source."""
    return _lined(parse_reports(records, modules=[module.name for module in modules]), modules)


def _place(trace: tuple[Frame, ...], module: str) -> Report:
    function = next((frame.function for frame in trace if frame.module == module), "")
    return Report("place", "", bare_name(function), module, trace=trace)


def leaks_of(live: Iterable[Allocation], modules: Sequence[ModuleArtifact]) -> tuple[Leak, ...]:
    """Return what was allocated and never freed, with the line that allocated it."""
    objects = tuple(live)
    codes = {module.name: symbols.ModuleCode.read(module.name, module.path.read_bytes()) for module in modules}
    sites = [
        Frame(one.site.function, one.site.offset, codes[one.site.module].room(one.site), one.site.module)
        for one in objects
        if one.site.module in codes
    ]
    places = _lined([_place((site,), site.module) for site in dict.fromkeys(sites)], modules)
    lines = {(place.module, place.trace[-1].function, place.trace[-1].offset): place.where for place in places}
    return tuple(_leak(one, lines.get((one.site.module, one.site.function, one.site.offset))) for one in objects)


def _leak(one: Allocation, where: Where | None) -> Leak:
    by = f" by {one.called}()" if one.called else ""
    place = f"{where.file}:{where.line} ({where.function})" if where else str(one.site)
    return Leak(one.kind, f"{format_bytes(one.size)} of {one.kind}{by} at {place}", one.size, one.site.function, where)
