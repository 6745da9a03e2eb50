# SPDX-License-Identifier: MIT
"""A module that was built: where its ``.ko`` lies, what the tools said, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kmodlab.build.diagnostics import Diagnostic
from kmodlab.build.source import ModuleSource

if TYPE_CHECKING:
    from kmodlab.records.elf import ModuleFile

__all__ = ["How", "ModuleArtifact"]

How = Literal["fast", "kbuild", "cache"]


@dataclass(frozen=True, slots=True)
class ModuleArtifact:
    """A built module.

    Attributes:
        name: of the module, as the kernel will have it.
        path: its ``.ko``, with debug information; it belongs to the cache: copy it, never write to it.
        checksum: of that file (SHA-256, hexadecimal).
        diagnostics: the warnings of its build, by the learner's files and lines.
        how: ``kbuild`` or ``fast`` if it was built now, ``cache`` if the same was built before.
        seconds: how long this call took.
        release: of the kernel that it was built for.
        source: what it was built from.
        others: the further modules of the same source, in the Kbuild's order.
    """

    name: str
    path: Path
    checksum: str
    diagnostics: tuple[Diagnostic, ...]
    how: How
    seconds: float
    release: str
    source: ModuleSource
    others: tuple[ModuleArtifact, ...] = ()

    @property
    def file(self) -> ModuleFile:
        """What the ``.ko`` says of itself: sections, symbols, modinfo."""
        return _read(self.path, self.checksum)

    def __str__(self) -> str:
        way = "unchanged since an earlier build" if self.how == "cache" else f"built in {self.seconds:.1f} s"
        names = ", ".join(f"{artifact.name}.ko" for artifact in (self, *self.others))
        lines = [f"{names} for {self.release}: {way}"]
        return "\n".join([*lines, *map(str, self.diagnostics)])


@lru_cache(maxsize=64)
def _read(path: Path, checksum: str) -> ModuleFile:
    """Read a ``.ko``; the checksum is there so that another content under the same path is read anew."""
    from kmodlab.records.elf import read_module

    return read_module(path.read_bytes())
