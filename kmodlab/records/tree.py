# SPDX-License-Identifier: MIT
"""The kernel's tree of module files, folder by folder, and what of it is loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from kmodlab.errors import RecordParseError
from kmodlab.records.table import Column, Rows

__all__ = ["TreeFolder", "parse_tree"]


@dataclass(frozen=True, slots=True)
class TreeFolder:
    """The module files of one folder of the tree, and those below it.

    Attributes:
        name: the folder, such as ``drivers/net``.
        modules: how many there are.
        size: bytes of their files.
        loaded: how many of them are in the kernel.
        loaded_size: bytes of the files of those.
    """

    name: str
    modules: int
    size: int
    loaded: int = 0
    loaded_size: int = 0

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "folder"),
        Column("modules", kind="number"),
        Column("size", "size of their files", "bytes"),
        Column("loaded", kind="number"),
        Column("loaded_size", "size of these files", "bytes"),
    )


def parse_tree(text: str, loaded: Collection[str] = ()) -> Rows[TreeFolder]:
    r"""Return the folders, the largest first, of what ``find -name '*.ko*' -printf '%s %P\n'`` printed.

    Files in ``drivers`` are told apart by the folder below it, all others by the topmost one.

    Args:
        text: one line a file: its size in bytes, a blank, its path in the tree.
        loaded: names of the modules that are loaded.

    Raises:
        RecordParseError: a line is not of that form.
    """
    sums: dict[str, list[int]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        size, _, path = line.partition(" ")
        if not size.isdigit() or ".ko" not in path:
            raise RecordParseError(
                f"read module tree: {line[:120]!r}; expected a size and a path, such as '23121 fs/fat/fat.ko'",
                text=line,
            )
        parts = path.removeprefix("./").removeprefix("kernel/").split("/")
        entry = sums.setdefault(
            "/".join(parts[: min(2 if parts[0] == "drivers" else 1, len(parts) - 1)]) or ".", [0] * 4
        )
        here = parts[-1].partition(".ko")[0].replace("-", "_") in loaded
        for place, value in enumerate((1, int(size), here, here * int(size))):
            entry[place] += value
    rows = sorted((TreeFolder(name, *values) for name, values in sums.items()), key=lambda row: (-row.size, row.name))
    return Rows(rows, caption="Module files of this kernel", columns=TreeFolder.COLUMNS)
