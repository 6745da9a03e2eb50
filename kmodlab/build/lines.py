# SPDX-License-Identifier: MIT
"""From the places in a report's trace to lines of a module's source, by the module's own debug information.

A trace names places as function and offset. The function's symbol says where in which section that is, and
``addr2line`` (binutils) says which line, with the functions inlined there. A frame of a call holds the address to which
the call returns, one instruction too far, so one byte before it is looked up. ``addr2line`` reads what a stranger's
module holds, so it runs in the compile sandbox.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.places import place_frames
from kmodlab.build.sandbox import WORK, Job, Limits, choose
from kmodlab.errors import SandboxError
from kmodlab.records.report import Frame, Report, Where
from kmodlab.records.report.frames import bare_name
from kmodlab.records.table import Rows

__all__ = ["ModuleCode", "Spot", "locate", "with_lines"]

_AROUND = 3
_LARGEST_SOURCE = 4 << 20
_LARGEST_MODULE = 512 << 20
# Headers of the kernel: what is inlined from them is not the module's own source.
_KERNEL = re.compile(
    r"(?:^|/)(?:include/(?:linux|asm|asm-generic|uapi|net|generated|vdso|crypto|drm|trace|rdma|scsi|sound)"
    r"|arch/\w+/include)/"
)
# By the machine in the file's head and that of the host, whose own tool reads no others.
_TOOLS = {
    (b"\x3e\0", "aarch64"): ("x86_64-linux-gnu-addr2line", "binutils-x86-64-linux-gnu"),
    (b"\xb7\0", "x86_64"): ("aarch64-linux-gnu-addr2line", "binutils-aarch64-linux-gnu"),
}
# For each section named, the addresses in "addresses.N" are looked up; "-a" repeats each address before its lines.
_SCRIPT = (
    "n=0; tool=$1; shift; for section; do "
    '"$tool" -a -i -f -e module.ko -j "$section" < "addresses.$n" > "lines.$n" || exit; '
    "n=$((n + 1)); done"
)


@dataclass(frozen=True, slots=True)
class Spot:
    """A line of source that an address belongs to.

    Attributes:
        function: the one that the line stands in.
        file: as the compiler was given it.
        line: from 1.
    """

    function: str
    file: str
    line: int


def _no_source(path: str) -> str | None:
    return None


def _as_built(path: str, line: int) -> tuple[str, int]:
    return path, line


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """A module's file, and where its source is to be had.

    Attributes:
        name: as the kernel calls it.
        data: the bytes of the ``.ko``, unpacked.
        source: returns the text of a source file by its path in the module's folder, or None.
        seen: returns file and line as the learner knows them (a cell has lines of its own).
    """

    name: str
    data: bytes
    source: Callable[[str], str | None] = _no_source
    seen: Callable[[str, int], tuple[str, int]] = _as_built

    @classmethod
    def from_artifact(cls, artifact: ModuleArtifact) -> ModuleCode:
        """Return the code of a module that was built here, with the source it was built from."""
        files = artifact.source.files

        def source(path: str) -> str | None:
            content = files.get(path)
            return content.decode(errors="replace") if content is not None else None

        def seen(path: str, line: int) -> tuple[str, int]:
            name, shown = artifact.source.place(path, line)
            return name, line if shown is None else shown

        return cls(artifact.name.replace("-", "_"), artifact.path.read_bytes(), source, seen)

    @classmethod
    def of(cls, module: object, name: str, data: bytes) -> ModuleCode:
        """Return the code of what is to be loaded: an artifact with its source, anything else without."""
        if isinstance(module, ModuleArtifact):
            return cls.from_artifact(module)
        return cls(name.replace("-", "_"), data)

    @classmethod
    def from_file(cls, path: Path, folders: Iterable[Path] = ()) -> ModuleCode:
        """Return the code of a ``.ko`` (also ``.xz`` or ``.gz``), with the sources beside it or in other folders.

        Raises:
            RecordParseError: it is not the file of a kernel module.
            OSError: it cannot be read.
        """
        from kmodlab.records.elf import read_module, unpacked

        with path.open("rb") as file:
            data = unpacked(file.read(_LARGEST_MODULE))
        places = [path.absolute().parent, *(folder.absolute() for folder in folders)]
        return cls(read_module(data).name.replace("-", "_"), data, lambda name: _read_source(name, places))


def _read_source(name: str, folders: Sequence[Path]) -> str | None:
    """Read a source file that debug information names; only a ``.c`` or ``.h`` that lies below one of the folders."""
    parts = Path(name).parts
    if ".." in parts or Path(name).suffix not in {".c", ".h"}:
        return None
    relative = Path(*(part for part in parts if part != "/"))
    for folder in folders:
        for candidate in (folder / relative, folder / relative.name, Path(name)):
            found = candidate.resolve()
            if found.is_file() and found.is_relative_to(folder.resolve()) and found.stat().st_size <= _LARGEST_SOURCE:
                return found.read_text(errors="replace")
    return None


# -- Lines ------------------------------------------------------------------------------------------------------------


def locate(data: bytes, frames: Sequence[Frame]) -> list[tuple[Spot, ...]]:
    """Return the lines of each frame, innermost inlined function first; none where there is nothing certain.

    Args:
        data: the module's ``.ko``, with debug information, unpacked.
        frames: places in this module.

    Raises:
        RecordParseError: it is not a module for a 64-bit little-endian machine.
        SandboxError: ``addr2line`` could not be run, or went over a limit.
    """
    places = place_frames(data, frames)
    sections = sorted({place[0] for place in places if place})
    if not sections:
        return [() for _ in frames]
    wanted = {
        name: sorted({at for place in places if place for at in (place[1],) if place[0] == name}) for name in sections
    }
    found = _look_up(data, wanted)
    return [found.get(place, ()) if place else () for place in places]


def _look_up(data: bytes, wanted: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], tuple[Spot, ...]]:
    tool, package = _TOOLS.get((data[18:20], os.uname().machine), ("addr2line", "binutils"))
    lists = {
        f"addresses.{number}": "".join(f"{address:#x}\n" for address in addresses).encode()
        for number, addresses in enumerate(wanted.values())
    }
    outcome = choose().run(
        Job(
            "find the lines of a trace",
            ("bash", "-c", _SCRIPT, "bash", tool, *wanted),
            {"module.ko": data, **lists},
            results=("lines.*",),
            env=MappingProxyType({"LC_ALL": "C"}),
            limits=Limits(cpu=20, wall=30.0, memory=2 << 30, output=8 << 20, space=1 << 30),
        )
    )
    if outcome.exit_status:
        said = outcome.output.strip().partition("\n")[0][:200] or f"status {outcome.exit_status}"
        raise SandboxError(
            f"find the lines of a trace: {tool}: {said}; apt-get install {package}, or look whether the module is "
            f"damaged",
            output=outcome.output,
        )
    spots = {}
    for number, name in enumerate(wanted):
        lines = outcome.files.get(f"lines.{number}", b"").decode(errors="replace")
        spots.update({(name, address): chain for address, chain in _read_answer(lines).items()})
    return spots


_PLACE = re.compile(r"(.*):([0-9]+)(?: \(discriminator [0-9]+\))?$")


def _read_answer(text: str) -> dict[int, tuple[Spot, ...]]:
    """Read what ``addr2line -a -i -f`` prints: the address, then a function and a place for each level."""
    answers: dict[int, tuple[Spot, ...]] = {}
    address: int | None = None
    chain: list[Spot] = []
    function = ""
    for line in text.split("\n"):
        if re.fullmatch(r"0x[0-9a-f]{8,16}", line):
            address, chain, function = int(line, 16), [], ""
            answers[address] = ()
        elif address is None:
            continue
        elif not function:
            function = line
        else:
            found = _PLACE.match(line)
            if found and found[1] != "??" and int(found[2]):
                chain.append(Spot(bare_name(function), found[1], int(found[2])))
                answers[address] = tuple(chain)
            function = ""
    return answers


# -- Reports ----------------------------------------------------------------------------------------------------------


def with_lines(reports: Iterable[Report], modules: Iterable[ModuleCode]) -> Rows[Report]:
    """Return the reports with the lines of these modules' functions filled in: in their traces and as ``where``.

    A frame becomes several where functions are inlined, the innermost first.

    Raises:
        RecordParseError, SandboxError: see `locate`.
    """
    rows = list(reports)
    for module in modules:
        frames = dict.fromkeys(
            frame for report in rows for trace in _traces(report) for frame in trace if frame.module == module.name
        )
        if frames:
            spots = dict(zip(frames, locate(module.data, list(frames)), strict=True))
            rows = [_decoded(report, module, spots) for report in rows]
    return Rows(rows, caption="Reports of the kernel", columns=Report.COLUMNS)


def _traces(report: Report) -> list[tuple[Frame, ...]]:
    return [report.trace, *(related.trace for related in report.related)]


def _decoded(report: Report, module: ModuleCode, spots: Mapping[Frame, tuple[Spot, ...]]) -> Report:
    def expanded(trace: Sequence[Frame]) -> tuple[Frame, ...]:
        return tuple(part for frame in trace for part in _expanded(frame, spots.get(frame, ()), module))

    where = report.where
    if report.module == module.name and where is None:
        where = _where(report, module, spots)
    related = tuple(dataclasses.replace(each, trace=expanded(each.trace)) for each in report.related)
    return dataclasses.replace(report, trace=expanded(report.trace), related=related, where=where)


def _expanded(frame: Frame, chain: Sequence[Spot], module: ModuleCode) -> list[Frame]:
    parts = []
    for spot in chain:
        file, line = module.seen(_shown(spot.file), spot.line)
        parts.append(
            dataclasses.replace(
                frame, function=spot.function, file=file, line=line, inline=True, size=None, offset=None
            )
        )
    if not parts:
        return [frame]
    last = parts.pop()
    return [*parts, dataclasses.replace(frame, file=last.file, line=last.line)]


def _where(report: Report, module: ModuleCode, spots: Mapping[Frame, tuple[Spot, ...]]) -> Where | None:
    """The innermost line of the module's own source in the function to blame, else in one that called it."""
    own = [frame for frame in report.trace if frame.module == module.name]
    named = [number for number, frame in enumerate(own) if bare_name(frame.function) == report.function]
    # A stack that a recursion has filled overflows anywhere: the line to look at is the call of itself.
    start = named[1] if report.kind == "stack-overflow" and len(named) > 1 else next(iter(named), 0)
    for frame in own[start:]:
        for spot in spots.get(frame, ()):
            if not _KERNEL.search(spot.file):
                return _with_source(spot, module)
    return None


def _with_source(spot: Spot, module: ModuleCode) -> Where:
    shown = _shown(spot.file)
    text = module.source(shown)
    lines = text.split("\n") if text is not None else []
    file, line = module.seen(shown, spot.line)
    if not 0 < spot.line <= len(lines):
        return Where(file, line, spot.function)
    first = max(1, spot.line - _AROUND)
    shift = line - spot.line + first
    around = tuple((shift + n, row.rstrip()) for n, row in enumerate(lines[first - 1 : spot.line + _AROUND]))
    return Where(file, line, spot.function, lines[spot.line - 1].strip(), around)


def _shown(path: str) -> str:
    """A path as the module's folder has it; a header of the kernel as its tree has it."""
    if path.startswith(f"{WORK}/"):
        return path.removeprefix(f"{WORK}/")
    found = _KERNEL.search(path)
    return path[found.start() :].lstrip("/") if found else path.removeprefix("./")
