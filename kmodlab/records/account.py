# SPDX-License-Identifier: MIT
"""The account of what a module allocates: trace events → `Ledger`.

Every allocation of the whole kernel is traced with its stack, and belongs to a module if a function of the module
stands on that stack. So ``kstrdup()``, ``device_create()`` or ``kvmalloc()`` on the module's behalf count, whatever
thread, timer or work it happens in. Frees are paired by address, wherever they come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kmodlab.records.ledger import Allocation, Ledger, Total
from kmodlab.records.owners import Owners
from kmodlab.records.table import Rows
from kmodlab.records.trace import TraceEvent, TracePages

__all__ = ["LedgerBuilder", "merge"]

_FREED_KEPT = 10_000
_POINTS = 4_000
_PAGE = 4096
_SKBS = frozenset({"__alloc_skb", "skb_clone", "build_skb", "__build_skb", "napi_build_skb", "slab_build_skb"})
# Bits of struct trace_entry's flags: the event came from a hard or soft interrupt.
_CONTEXT = 0x8 | 0x10


@dataclass(slots=True)
class _Object:
    """An allocation that lives, and how many of its pages do."""

    record: Allocation
    pages: int = 1


@dataclass(slots=True)
class _Doubts:
    lost: int = 0
    damaged: int = 0
    unknown: int = 0
    stackless: int = 0
    unlisted: int = 0
    said: list[str] = field(default_factory=list)

    def words(self, objects_left: bool) -> tuple[str, ...]:
        found = list(self.said)
        if self.lost:
            count = str(self.lost) if self.lost > 0 else "some"
            found.append(f"the trace buffer was full and {count} events were lost; trace a shorter piece")
        if self.damaged or self.unknown:
            found.append(f"{self.damaged + self.unknown} pages or events of the trace could not be read")
        if self.stackless:
            found.append(f"{self.stackless} allocations came without a stack")
        if self.unlisted and objects_left:
            found.append(f"{self.unlisted} objects were freed in bulk without their addresses")
        return tuple(found)


class LedgerBuilder:
    """Makes a `Ledger` out of events, piece by piece; memory is bounded by what the modules hold.

    Args:
        owners: tells whose an allocation is.
    """

    def __init__(self, owners: Owners) -> None:
        """Begin with nothing."""
        self.owners = owners
        self._objects: dict[tuple[str, int], _Object] = {}
        self._freed: deque[Allocation] = deque(maxlen=_FREED_KEPT)
        self._waiting: dict[int, list[TraceEvent]] = {}
        self._timeline: list[Total] = []
        self._bytes = self._count = self._allocations = self._frees = self._allocated = 0
        self._references: dict[int, int] = {}
        self.doubts = _Doubts()
        self._handlers: dict[str, Callable[[TraceEvent], None]] = {
            "kernel_stack": self._stack,
            **dict.fromkeys(_MAKERS, self._made),
            **dict.fromkeys(("module_alloc", "module_alloc_ret", "module_load", "module_free"), owners.module_event),
            "kfree": self._free_slab,
            "kmem_cache_free": self._free_slab,
            "kfree_nolock": self._free_slab,
            "kvfree_rcu": self._free_rcu,
            "kvfree_rcu_nolock": self._free_rcu,
            "bulk_free": self._free_bulk,
            "skb_release": lambda event: self._free("slab", event.number("skb"), event, "kfree_skb"),
            "percpu_free_percpu": lambda event: self._free("percpu", event.number("ptr"), event, "free_percpu"),
            "vm_remove": lambda event: self._free("vm", event.number("addr"), event, "vfree"),
            "cache_destroy": self._destroy_cache,
            "mm_page_free": self._free_pages,
            "mm_page_free_batched": self._free_pages,
        }

    @property
    def holds(self) -> int:
        """How many objects live."""
        return len({id(one) for one in self._objects.values()})

    def feed(self, events: Iterable[TraceEvent]) -> None:
        """Take events in the order of their time, those of one processor in the order in which they came."""
        handlers = self._handlers
        for event in events:
            handler = handlers.get(event.name)
            if handler is not None:
                handler(event)

    def complete(self, events: Iterable[TraceEvent]) -> None:
        """Take of later events only what allocations already fed still wait for: their stacks."""
        for event in events:
            if self._waiting.get(event.cpu):
                self.feed((event,))

    def note(self, pages: TracePages) -> None:
        """Take over what is missing in some pages."""
        doubts = self.doubts
        doubts.lost = -1 if -1 in (pages.lost, doubts.lost) else doubts.lost + pages.lost
        doubts.damaged += pages.damaged
        doubts.unknown += pages.unknown

    def doubt(self, words: str) -> None:
        """Say why the ledger is not exact."""
        if words not in self.doubts.said:
            self.doubts.said.append(words)

    def ledger(self) -> Ledger:
        """Return the ledger of all that was fed until now."""
        objects = {id(one): one.record for one in self._objects.values()}.values()
        live = sorted(objects, key=lambda one: (one.seconds, one.address))
        waiting = sum(map(len, self._waiting.values()))
        return Ledger(
            modules=self.owners.names,
            live=Rows(live, caption="Allocated and not freed", columns=Allocation.COLUMNS),
            freed=tuple(self._freed),
            allocations=self._allocations,
            frees=self._frees,
            allocated=self._allocated,
            timeline=tuple(self._timeline),
            loaded=frozenset(self.owners.loaded),
            doubts=replace(self.doubts, stackless=self.doubts.stackless + waiting).words(bool(live)),
        )

    # -- Allocations --------------------------------------------------------------------------------------------------

    def _made(self, event: TraceEvent) -> None:
        """An allocation; its stack is the next event of this processor but for what interrupts do meanwhile."""
        self._waiting.setdefault(event.cpu, []).append(event)

    def _stack(self, event: TraceEvent) -> None:
        waiting = self._waiting.get(event.cpu, [])
        while waiting:
            made = waiting.pop()
            if _context(made) == _context(event):
                stack = event.fields.get("caller")
                self._allocate(made, stack if isinstance(stack, tuple) else ())
                return
            self.doubts.stackless += 1

    def _allocate(self, event: TraceEvent, stack: tuple[int, ...]) -> None:
        kind, space, address, size, pages = _MAKERS[event.name](event)
        if not address:
            return
        known = self._objects.get((space, address))
        if known is not None and kind == "skb":
            known.record = replace(known.record, kind=kind)
            return
        if space == "cache" and address in self._references:
            self._references[address] += 1
            return
        if known is not None:
            self._end(space, address, event.seconds, "a function that tells no address")
        owner = self.owners.of(stack, kind)
        if owner is not None:
            kind = "skb" if kind == "slab" and not _SKBS.isdisjoint(owner.via) else kind
            record = Allocation(kind, size, address, event.seconds, event.number("common_pid"), owner.site, owner.via)
            self._enter(space, address, pages, record)

    def _enter(self, space: str, address: int, pages: int, record: Allocation) -> None:
        one = _Object(record, pages)
        for number in range(address, address + pages):
            self._objects[space, number] = one
        if space == "cache":
            self._references[address] = 1
        self._allocations += 1
        self._allocated += record.size
        self._total(record.seconds, record.size, 1)

    def _total(self, seconds: float, size: int, count: int) -> None:
        self._bytes += size
        self._count += count
        self._timeline.append(Total(seconds, self._bytes, self._count))
        if len(self._timeline) >= _POINTS:
            del self._timeline[1:-1:2]

    # -- Frees --------------------------------------------------------------------------------------------------------

    def _free(self, space: str, address: int, event: TraceEvent, how: str) -> None:
        if (space, address) in self._objects:
            self._end(space, address, event.seconds, how)

    def _end(self, space: str, address: int, seconds: float, how: str) -> None:
        one = self._objects.pop((space, address))
        one.pages -= 1
        if one.pages:
            return
        self._frees += 1
        self._freed.append(replace(one.record, freed_at=seconds, freed_by=how))
        self._total(seconds, -one.record.size, -1)

    def _free_slab(self, event: TraceEvent) -> None:
        address = event.number("ptr")
        if ("slab", address) in self._objects:
            self._free("slab", address, event, self.owners.name(event.number("call_site")) or event.name)

    def _free_rcu(self, event: TraceEvent) -> None:
        """``kvfree_call_rcu(head, …)``: the second argument was head's offset before 6.3, then the object itself."""
        head, second = event.number("head"), event.number("arg")
        address = head - second if head and second < _PAGE else second
        self._free("slab", address, event, "kfree_rcu")
        self._free("vm", address, event, "kvfree_rcu")

    def _free_bulk(self, event: TraceEvent) -> None:
        listed = event.fields.get("p")
        addresses = listed if isinstance(listed, tuple) else ()
        count = event.number("nr")
        for address in addresses[:count]:
            self._free("slab", address, event, "kmem_cache_free_bulk")
        # What kfree_rcu() was given was known when it was called; it frees hundreds at once.
        if not self.owners.name(event.number("caller")).startswith(("kfree_rcu", "kvfree_rcu", "kvfree_bulk")):
            self.doubts.unlisted += max(count - len(addresses), 0)

    def _destroy_cache(self, event: TraceEvent) -> None:
        address = event.number("cache")
        left = self._references.get(address, 0) - 1
        if left > 0:
            self._references[address] = left
        elif left == 0:
            del self._references[address]
            self._free("cache", address, event, "kmem_cache_destroy")

    def _free_pages(self, event: TraceEvent) -> None:
        first = event.number("pfn")
        if event.number("order") == 0:
            self._free("page", first, event, "__free_pages")
            return
        for number in range(first, first + (1 << min(event.number("order"), 20))):
            self._free("page", number, event, "__free_pages")


_Made = tuple[str, str, int, int, int]


def _context(event: TraceEvent) -> tuple[int, int]:
    return event.number("common_pid"), event.number("common_flags") & _CONTEXT


def _of_slab(kind: str) -> Callable[[TraceEvent], _Made]:
    return lambda event: (kind, "slab", event.number("ptr"), event.number("bytes_req"), 1)


def _of_pages(event: TraceEvent) -> _Made:
    pages = 1 << min(event.number("order"), 20)
    pfn = event.number("pfn")
    return "pages", "page", 0 if pfn >= 1 << 63 or pfn == 0xFFFF_FFFF_FFFF_FFFF else pfn, pages * _PAGE, pages


_MAKERS: Mapping[str, Callable[[TraceEvent], _Made]] = {
    "kmalloc": _of_slab("kmalloc"),
    "kmalloc_node": _of_slab("kmalloc"),
    "kmem_cache_alloc": _of_slab("slab"),
    "kmem_cache_alloc_node": _of_slab("slab"),
    "mm_page_alloc": _of_pages,
    "percpu_alloc_percpu": lambda event: ("percpu", "percpu", event.number("ptr"), event.number("size"), 1),
    # The kernel adds a guard page.
    "vm_get": lambda event: ("vmalloc", "vm", event.number("addr"), max(event.number("size") - _PAGE, 0), 1),
    "skb_new": lambda event: ("skb", "slab", event.number("skb"), event.number("size"), 1),
    "cache_new": lambda event: ("cache", "cache", event.number("cache"), event.number("size"), 1),
}


def merge(pages: Sequence[TracePages]) -> list[TraceEvent]:
    """Return the events of all processors in the order of their time."""
    return sorted((event for one in pages for event in one.events), key=lambda event: event.seconds)
