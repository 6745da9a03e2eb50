# SPDX-License-Identifier: MIT
"""``/proc/modules``: the modules that are in the kernel now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmodlab.errors import RecordParseError
from kmodlab.records.table import Column, Rows

__all__ = ["LoadedModule", "parse_modules"]


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """A row of ``/proc/modules``.

    Attributes:
        name: the module's name, with ``_`` where the file may have ``-``.
        size: bytes it takes in the kernel now; its init code is no longer among them once it is ``Live``.
        refcount: how many users hold it: modules that lean on it, open files, mounts; ``None`` if the kernel
            does not count, and -1 while it is being unloaded.
        holders: the modules that lean on it.
        state: ``Live``, ``Loading`` or ``Unloading``.
        taints: the letters it taints the kernel with, e.g. ``OE``.
        address: where it lies; ``None`` if the reader may not know.
        permanent: true if it has no exit function, so it cannot be unloaded.
    """

    name: str
    size: int
    refcount: int | None
    holders: tuple[str, ...]
    state: str
    taints: str = ""
    address: int | None = None
    permanent: bool = False

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "module"),
        Column("size", kind="bytes"),
        Column("refcount", kind="number"),
        Column("holders", "used by"),
        Column("state"),
        Column("taints"),
    )


def parse_modules(text: str) -> Rows[LoadedModule]:
    """Return the rows of ``/proc/modules``, newest module first, as the kernel lists them.

    Raises:
        RecordParseError: a line is not of that file's form.
    """
    rows = [_module(line) for line in text.splitlines() if line.strip()]
    return Rows(rows, caption="Loaded modules", columns=LoadedModule.COLUMNS)


def _module(line: str) -> LoadedModule:
    try:
        name, size, refcount, holders, state, address, *taints = line.split()
        names = [holder for holder in holders.split(",") if holder not in ("", "-")]
        return LoadedModule(
            name=name,
            size=int(size),
            refcount=None if refcount == "-" else int(refcount),
            holders=tuple(holder for holder in names if not holder.startswith("[")),
            state=state,
            # A + or - behind the letters says Loading or Unloading once more.
            taints=taints[0].strip("()+-") if taints else "",
            address=int(address, 16) or None,
            permanent="[permanent]" in names,
        )
    except ValueError:
        raise RecordParseError(
            f"read /proc/modules: not a row of it: {line[:120]!r}; expected name, size, refcount, holders, "
            "state and address",
            text=line,
        ) from None
