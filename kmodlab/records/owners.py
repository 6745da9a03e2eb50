# SPDX-License-Identifier: MIT
"""Whose an allocation is: the stack of a trace event → the module, the place in it, and what it called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kmodlab.records.symbols import CallSite, KernelSymbols, ModuleCode
from kmodlab.records.trace import TraceEvent

__all__ = ["Owner", "Owners"]

_MEMORY = 20_000

# Below these on the stack stands what was interrupted: it has nothing to do with the allocation.
_INTERRUPTS = ("asm_", "sysvec_", "el1_", "el1h_", "el0_", "el0t_")
_INTERRUPT_NAMES = frozenset(
    [
        "common_interrupt",
        "__do_softirq",
        "handle_softirqs",
        "do_softirq",
        "call_on_irq_stack",
        "__irq_exit_rcu",
        "irq_exit_rcu",
    ]
)
# The kernel's own allocators at work: what they take stays theirs, what they hand out is an event of its own.
_ALLOCATORS = {
    "vmalloc": frozenset(
        [
            "__vmalloc_node_range",
            "__vmalloc_area_node",
            "__get_vm_area_node",
            "alloc_vmap_area",
            "vmap",
            "vm_map_ram",
            "vmap_pages_range_noflush",
        ]
    ),
    "percpu": frozenset(["pcpu_alloc", "pcpu_populate_chunk", "pcpu_create_chunk", "pcpu_balance_workfn"]),
    "cache": frozenset(
        [
            "kmem_cache_create",
            "kmem_cache_create_usercopy",
            "__kmem_cache_create_args",
            "create_cache",
            "__kmem_cache_create",
            "do_kmem_cache_create",
        ]
    ),
    # Since Linux 6.18 a slab cache passes its objects on in arrays, the sheaves. One more of them may be made by
    # whoever allocates or frees just then, kfree_rcu() among them; it stays with the cache, like the list of whom the
    # objects of a slab are charged to. Modules cannot ask for either.
    "sheaf": frozenset(
        [
            "__kfree_rcu_sheaf",
            "__pcs_replace_empty_main",
            "__pcs_replace_full_main",
            "alloc_empty_sheaf",
            "__alloc_empty_sheaf",
            "alloc_full_sheaf",
            "kmem_cache_prefill_sheaf",
            "alloc_slab_obj_exts",
        ]
    ),
}
# A header's inline function may be emitted into the module itself (since Linux 6.12): it is the kernel's all the same.
_EMITTED = frozenset().union(*_ALLOCATORS.values())
_PAGE_ALLOCATORS = frozenset(
    [
        "allocate_slab",
        "new_slab",
        "___slab_alloc",
        "__slab_alloc",
        "kmalloc_large",
        "kmalloc_large_node",
        "__kmalloc_large_node",
        "___kmalloc_large_node",
        "kmalloc_order",
        "kmalloc_order_trace",
        "__napi_alloc_skb",
        "napi_alloc_skb",
        "__netdev_alloc_skb",
        "__netdev_alloc_frag_align",
        "__napi_alloc_frag_align",
        "page_frag_alloc_align",
        "__page_frag_alloc_align",
        "__page_frag_cache_refill",
        "skb_page_frag_refill",
        "__pte_alloc_kernel",
        "__pte_alloc",
        "__pmd_alloc",
        "__pud_alloc",
        "__p4d_alloc",
        "pte_alloc_one",
    ]
)
# Looking a path up fills the kernel's caches of names and inodes; arming and disarming a probe changes the table of
# ftrace that all probes share.
_CACHES = frozenset(
    [
        "path_openat",
        "filename_lookup",
        "filename_create",
        "kern_path",
        "vfs_path_lookup",
        "arm_kprobe",
        "__arm_kprobe_ftrace",
        "__disarm_kprobe",
        "__disarm_kprobe_ftrace",
    ]
)
# Nodes of a tree belong to whoever owns the tree: to the module only if the module itself asked.
_TREES = frozenset(
    [
        "ida_alloc_range",
        "idr_alloc",
        "idr_alloc_u32",
        "idr_alloc_cyclic",
        "idr_get_free",
        "idr_preload",
        "radix_tree_insert",
        "radix_tree_node_alloc",
        "radix_tree_extend",
        "__radix_tree_preload",
        "radix_tree_preload",
        "radix_tree_maybe_preload",
        "xa_store",
        "__xa_store",
        "__xa_alloc",
        "__xa_alloc_cyclic",
        "__xa_insert",
        "__xa_cmpxchg",
        "xas_store",
        "xas_create",
        "xas_alloc",
        "xas_nomem",
        "__xas_nomem",
        "xas_expand",
    ]
)


@dataclass(frozen=True, slots=True)
class Owner:
    """The place in a module that caused an allocation, and the kernel's functions that it went through."""

    site: CallSite
    via: tuple[str, ...]


@dataclass(slots=True)
class _Region:
    """Memory that the loader gave to a module; index: the how manyth."""

    start: int
    size: int
    pid: int
    index: int = 0
    module: str = ""
    based: bool = True


class Owners:
    """Knows at each moment which addresses are the modules' code.

    Where a module will lie is known from the trace itself (the loader's allocations before ``module_load``), so that
    its init function counts, also one that fails.

    Args:
        symbols: the kernel's functions.
        codes: the modules to watch.
    """

    def __init__(self, symbols: KernelSymbols, codes: Iterable[ModuleCode]) -> None:
        """Begin with no module loaded."""
        self._symbols = symbols
        self._codes = {code.name: code for code in codes}
        self._active: list[_Region] = []
        self._pending: dict[int, list[_Region]] = {}
        self._sizes: dict[int, int] = {}
        self._low, self._high = 1 << 64, 0
        self._cache: dict[tuple[tuple[int, ...], str], Owner | None] = {}
        self.loaded: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The modules that are watched."""
        return tuple(self._codes)

    def place(self, module: str, start: int, size: int) -> None:
        """Say where a module lies that was loaded before the trace began, from ``/proc/modules``."""
        self.loaded.add(module)
        self._activate([_Region(start, size, 0)], module)

    def module_event(self, event: TraceEvent) -> None:
        """Take an event of the loader."""
        pid, name = event.number("common_pid"), event.fields.get("name", "")
        if event.name == "module_alloc":
            self._sizes[pid] = event.number("size")
        elif event.name == "module_alloc_ret":
            start = event.number("base")
            if start:
                region = _Region(start, self._sizes.get(pid, 4096), pid)
                self._forget(region)
                self._pending.setdefault(pid, []).append(region)
        elif event.name == "module_load":
            regions = self._pending.pop(pid, [])
            if isinstance(name, str) and name in self._codes:
                self.loaded.add(name)
                self._activate(regions, name)
        elif isinstance(name, str):
            self.loaded.discard(name)

    def _forget(self, new: _Region) -> None:
        """What is given out anew is no longer the module's that had it."""
        end = new.start + new.size
        self._active = [one for one in self._active if one.start >= end or one.start + one.size <= new.start]
        self._changed()

    def _activate(self, regions: list[_Region], module: str) -> None:
        for index, region in enumerate(regions):
            region.index, region.module = index, module
        self._active += regions
        self._changed()

    def _changed(self) -> None:
        self._cache.clear()
        self._low = min((one.start for one in self._active), default=1 << 64)
        self._high = max((one.start + one.size for one in self._active), default=0)

    def of(self, stack: tuple[int, ...], kind: str) -> Owner | None:
        """Return whose an allocation of this kind with this stack is; None: none of the modules'."""
        key = (stack, kind)
        if key not in self._cache:
            if len(self._cache) >= _MEMORY:
                self._cache.clear()
            self._cache[key] = self._find(stack, kind)
        return self._cache[key]

    def _find(self, stack: tuple[int, ...], kind: str) -> Owner | None:
        low, high = self._low, self._high
        if not any(low <= address <= high for address in stack):
            return None
        inner: list[str] = []
        emitted: Owner | None = None
        for address in stack:
            region = self._region(address)
            if region is not None:
                if not _belongs(inner, kind):
                    return None
                site = self._site(region, address)
                owner = Owner(site, _via(inner))
                if _plain(site.function) not in _EMITTED:
                    return owner
                emitted = emitted or owner
                inner.append(_plain(site.function))
                continue
            name = _plain(self._symbols.find(address)[0])
            if name.startswith(_INTERRUPTS) or name in _INTERRUPT_NAMES:
                return None
            if name:
                inner.append(name)
        return emitted

    def _region(self, address: int) -> _Region | None:
        for one in self._active:
            if one.start < address <= one.start + one.size:
                return one
        return None

    def _site(self, region: _Region, address: int) -> CallSite:
        offset = address - region.start
        found = self._codes[region.module].find(offset, init=region.index > 0)
        return found or CallSite(region.module, "", offset)

    def name(self, address: int) -> str:
        """Return the function that an address lies in, of the kernel or of a watched module; else an empty text."""
        region = self._region(address)
        if region is not None:
            return str(self._site(region, address))
        function, offset = self._symbols.find(address)
        return f"{function}+0x{offset:x}" if function and offset < 1 << 20 else ""


def _plain(name: str) -> str:
    """Leave out what the compiler and the kernel's build hang on a function's name."""
    return name.split(".", 1)[0].removesuffix("_noprof")


def _belongs(inner: list[str], kind: str) -> bool:
    """Whether what went through these functions, innermost first, is the module's and not the kernel's own stock."""
    names = set(inner)
    if names & _CACHES:
        return False
    if any(names & functions for allocator, functions in _ALLOCATORS.items() if allocator != kind):
        return False
    if kind == "pages" and names & _PAGE_ALLOCATORS:
        return False
    trees = [index for index, name in enumerate(inner) if name in _TREES]
    return not trees or trees[-1] == len(inner) - 1


_PLUMBING = frozenset(["trace_event_raw_event", "kprobe_trace_func", "kretprobe_trace_func", "kprobe_dispatcher"])
_PLUMBING_STARTS = (
    "__traceiter_",
    "trace_event_",
    "trace_buffer_",
    "event_trigger",
    "kprobe",
    "kretprobe",
    "__kretprobe",
    "ftrace_",
    "arch_rethook",
    "rethook",
    "__ftrace",
    "stacktrace_trigger",
    "__trace_stack",
)


def _via(inner: list[str]) -> tuple[str, ...]:
    """The functions between the module and the allocator, outermost first, without those that traced."""
    return tuple(name for name in reversed(inner) if name not in _PLUMBING and not name.startswith(_PLUMBING_STARTS))
