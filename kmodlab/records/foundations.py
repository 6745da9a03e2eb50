# SPDX-License-Identifier: MIT
"""What a kernel's whole tree of modules leans on, from ``modules.dep``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from kmodlab.errors import RecordParseError
from kmodlab.records.dependencies import parse_modules_dep
from kmodlab.records.table import Column, Rows

__all__ = ["Foundation", "parse_foundations"]


@dataclass(frozen=True, slots=True)
class Foundation:
    """A module of the tree, and how much stands on it.

    Attributes:
        name: the module.
        layer: 0 if it needs no other module, else one more than the highest of those that it needs.
        needs: how many modules must be loaded before it.
        users: how many need it, directly or through others.
        direct: how many of those need it and no module that needs it itself. What a module needs both directly and
            through another counts as the latter: ``modules.dep`` does not tell.
    """

    name: str
    layer: int
    needs: int
    users: int
    direct: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "module"),
        Column("users", "modules that need it", "number"),
        Column("direct", "directly", "number"),
        Column("needs", "needs itself", "number"),
        Column("layer", kind="number"),
    )


def parse_foundations(modules_dep: str) -> Rows[Foundation]:
    """Return all modules of a tree, those on which most lean first.

    Args:
        modules_dep: the text of ``/lib/modules/RELEASE/modules.dep``, which lists for each module all that must be
            loaded before it.

    Raises:
        RecordParseError: it is not of that form.
    """
    needs = parse_modules_dep(modules_dep)
    if not needs or not all(".ko" in line.partition(":")[0] for line in modules_dep.splitlines()):
        raise RecordParseError("read modules.dep: expected lines such as 'kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko'")
    every = Counter(name for providers in needs.values() for name in providers)
    direct: Counter[str] = Counter()
    layers: dict[str, int] = {}
    # Whoever needs less stands lower, so its layer is known before it is asked for.
    for name in sorted(needs, key=lambda name: len(needs[name])):
        layers[name] = 1 + max((layers.get(other, 0) for other in needs[name]), default=-1)
        through = {one for other in needs[name] for one in needs.get(other, ())}
        direct.update(set(needs[name]) - through)
    rows = (Foundation(name, layers[name], len(needs[name]), every[name], direct[name]) for name in needs)
    ordered = sorted(rows, key=lambda row: (-row.users, row.name))
    return Rows(ordered, caption="Modules of the tree, by how many need them", columns=Foundation.COLUMNS)
