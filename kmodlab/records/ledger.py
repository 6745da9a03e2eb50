# SPDX-License-Identifier: MIT
"""What a module allocated and what of it was never given back; `kmodlab.records.account` makes it of trace events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from kmodlab.errors import UsageError
from kmodlab.records.symbols import CallSite
from kmodlab.records.table import Column, Rows, format_bytes

__all__ = ["Allocation", "Ledger", "LineTotal", "Total"]


@dataclass(frozen=True, slots=True)
class Allocation:
    """One object that a module allocated.

    Attributes:
        kind: ``kmalloc``, ``slab``, ``pages``, ``vmalloc``, ``percpu``, ``skb`` or ``cache`` (a whole slab cache).
        size: bytes asked for.
        address: the pointer, or the page frame number of pages.
        seconds: when, on the clock of the kernel's log.
        pid: the thread that did it; 0 for an idle processor that was interrupted.
        site: the place in the module.
        via: the kernel's functions between that place and the allocator, outermost first: ``("kstrdup",)``.
        freed_at: seconds; None if it lives.
        freed_by: the function that freed it.
    """

    kind: str
    size: int
    address: int
    seconds: float
    pid: int
    site: CallSite
    via: tuple[str, ...] = ()
    freed_at: float | None = None
    freed_by: str = ""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("kind"),
        Column("size", kind="bytes"),
        Column("site", "allocated in", "code"),
        Column("called", "by calling", "code"),
        Column("seconds"),
        Column("address", kind="address"),
    )

    @property
    def called(self) -> str:
        """The function that the module called."""
        return self.via[0] if self.via else ""

    @property
    def line(self) -> str:
        """The line of the source, ``dripper.c:43``, or the place in the code where that is not known."""
        return f"{self.site.file.rpartition('/')[2]}:{self.site.line}" if self.site.file else str(self.site)

    def __str__(self) -> str:
        """One plain sentence."""
        through = f" through {self.via[0]}()" if self.via else ""
        end = f", freed by {self.freed_by}" if self.freed_at is not None else " and not freed"
        return f"{format_bytes(self.size)} of {self.kind} allocated in {self.site}{through}{end}"


@dataclass(frozen=True, slots=True)
class Total:
    """What the module held at a moment: seconds, bytes, objects."""

    seconds: float
    bytes: int
    objects: int


@dataclass(frozen=True, slots=True)
class LineTotal:
    """What one line of the source allocated.

    Attributes:
        name: the line, such as ``dripper.c:43``; the place in the code where the line is not known.
        function: the function that it stands in.
        objects: how many it allocated.
        allocated: bytes of all of them.
        left: bytes of those that nobody freed.
    """

    name: str
    function: str
    objects: int
    allocated: int
    left: int

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "line"),
        Column("function", kind="code"),
        Column("objects", "allocations", "number"),
        Column("allocated", kind="bytes"),
        Column("left", "not freed", "bytes"),
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What some modules allocated while the kernel was traced.

    Attributes:
        modules: their names.
        live: what they allocated and nobody has freed.
        freed: what was freed, the last 10,000 of it.
        allocations, frees: how many in all.
        allocated: bytes in all.
        timeline: what they held over time, for a plot; thinned out if it would be long.
        loaded: those of the modules that were still loaded at the end.
        doubts: why the ledger may not be exact, in words; empty: it is.
    """

    modules: tuple[str, ...]
    live: Rows[Allocation]
    freed: tuple[Allocation, ...] = ()
    allocations: int = 0
    frees: int = 0
    allocated: int = 0
    timeline: tuple[Total, ...] = ()
    loaded: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every allocation and every free was seen."""
        return not self.doubts

    @property
    def leaks(self) -> Rows[Allocation]:
        """What is left although the modules are gone.

        Raises:
            UsageError: one of them is still loaded, so that what it holds is no leak yet.
        """
        if self.loaded:
            names = ", ".join(sorted(self.loaded))
            raise UsageError(f"leaks of {names}: still loaded; rmmod it first, or look at .live")
        return self.live

    @property
    def lines(self) -> Rows[LineTotal]:
        """What each line of the source allocated, that which left most first; of what was freed, as far as kept."""
        sums: dict[str, list[int]] = {}
        functions: dict[str, str] = {}
        for one in (*self.live, *self.freed):
            entry = sums.setdefault(one.line, [0, 0, 0])
            functions[one.line] = one.site.function
            for at, value in enumerate((1, one.size, one.size if one.freed_at is None else 0)):
                entry[at] += value
        rows = (LineTotal(name, functions[name], *entry) for name, entry in sums.items())
        ordered = sorted(rows, key=lambda row: (-row.left, -row.allocated, row.name))
        return Rows(ordered, caption="Allocations by line", columns=LineTotal.COLUMNS)

    def located(self, locate: Callable[[Sequence[CallSite]], Sequence[CallSite]]) -> Ledger:
        """Return the ledger with file and line at what it lists.

        Args:
            locate: takes places of module code, each once, and returns them with what it knows of their lines.
        """
        sites = list(dict.fromkeys(one.site for one in (*self.live, *self.freed)))
        known = dict(zip(sites, locate(sites), strict=True)) if sites else {}
        live = Rows(
            (replace(one, site=known[one.site]) for one in self.live),
            caption=self.live.caption,
            columns=self.live.columns,
        )
        return replace(self, live=live, freed=tuple(replace(one, site=known[one.site]) for one in self.freed))

    def __str__(self) -> str:
        """A line of totals, then what lives."""
        names, held = ", ".join(self.modules) or "no module", sum(one.size for one in self.live)
        head = f"{names}: {self.allocations} allocations of {format_bytes(self.allocated)}, {self.frees} freed, "
        head += f"{len(self.live)} left ({format_bytes(held)})" + "".join(f"\nnot exact: {one}" for one in self.doubts)
        return f"{head}\n{self.live}" if self.live else head
