# SPDX-License-Identifier: MIT
"""Allocations paired with frees: in a captured trace, in made ones, and against a model."""

from __future__ import annotations

import lzma
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.errors import RecordParseError, UsageError
from kmodlab.records.account import LedgerBuilder, merge
from kmodlab.records.ledger import Ledger
from kmodlab.records.owners import Owners
from kmodlab.records.symbols import CallSite, CodeSection, KernelSymbols, ModuleCode
from kmodlab.records.trace import TraceEvent, TraceFormat, TracePages

DATA = Path(__file__).resolve().parents[1] / "data" / "trace-6.1"

KERNEL = 0xFFFF_FFFF_8100_0000
MODULE = 0xFFFF_FFFF_C000_0000
NAMES = [
    "kmalloc_trace",
    "kstrdup",
    "allocate_slab",
    "__alloc_pages",
    "asm_common_interrupt",
    "__vmalloc_node_range",
    "xa_store",
    "ida_alloc_range",
    "proc_register",
    "path_openat",
    "kfree_rcu_work",
    "do_init_module",
    "__kmalloc_flags_noprof",
    "__kfree_rcu_sheaf",
    "__pcs_replace_empty_main",
    "__pcs_replace_full_main",
    "kvfree_call_rcu",
    "drop_sysctl_table",
    "unregister_netdev",
    "kmem_cache_alloc_noprof",
    "kfree",
]
AT = {name: KERNEL + 0x1000 * index + 0x10 for index, name in enumerate(NAMES)}
CODE = ModuleCode(
    "mine",
    (
        CodeSection(".text", 0x104, 16, ((0, 0x40, "use"), (0x40, 0xC0, "more"))),
        CodeSection(".init.text", 0x80, 16, ((0, 0x80, "begin"),)),
        CodeSection(".exit.text", 0x10, 64, ((0, 0x10, "end"),)),
    ),
)


def builder(*, loaded: bool = True) -> LedgerBuilder:
    symbols = KernelSymbols([(KERNEL + 0x1000 * index, name) for index, name in enumerate([*NAMES, "_etext"])])
    made = LedgerBuilder(Owners(symbols, [CODE]))
    if loaded:
        made.feed(loading(MODULE))
    return made


class Clock:
    now = 0.0


def event(
    name: str, /, cpu: int = 0, pid: int = 1, flags: int = 0, **fields: int | str | tuple[int, ...]
) -> TraceEvent:
    Clock.now += 1e-6
    return TraceEvent(Clock.now, cpu, name, {"common_pid": pid, "common_flags": flags, **fields})


def loading(start: int, pid: int = 50) -> Iterator[TraceEvent]:
    for base in (start, start + 0x1000):
        yield event("module_alloc", pid=pid, size=0x1000)
        yield event("module_alloc_ret", pid=pid, base=base)
    yield event("module_load", pid=pid, name="mine")


def stack(*frames: int, cpu: int = 0, pid: int = 1, flags: int = 0) -> TraceEvent:
    return event("kernel_stack", cpu=cpu, pid=pid, flags=flags, size=len(frames), caller=frames)


def kmalloc(address: int, size: int, *frames: int) -> list[TraceEvent]:
    return [event("kmalloc", ptr=address, bytes_req=size), stack(*frames)]


def kfree(address: int, call_site: int = 0) -> TraceEvent:
    return event("kfree", ptr=address, call_site=call_site)


def captured() -> LedgerBuilder:
    parts = (DATA / "formats.txt").read_text().split("=== ")[1:]
    files = {name: content for name, _, content in (part.partition("\n") for part in parts)}
    form = TraceFormat(
        files["header_page"], files["header_event"], [text for name, text in files.items() if name.endswith("/format")]
    )
    symbols = KernelSymbols.parse((DATA / "kallsyms.txt").read_text())
    code = ModuleCode.read("leaky", (DATA / "leaky.ko.xz").read_bytes())
    made = LedgerBuilder(Owners(symbols, [code]))
    pages = [form.read(cpu, lzma.decompress((DATA / f"cpu{cpu}.raw.xz").read_bytes())) for cpu in range(2)]
    for one in pages:
        made.note(one)
    made.feed(merge(pages))
    return made


def test_the_captured_trace() -> None:
    ledger = captured().ledger()
    assert ledger.exact
    found = [(one.kind, one.size, one.site.function, one.site.section, one.called) for one in ledger.leaks]
    assert found == [
        ("kmalloc", 27, "leaky_init", ".init.text", "kstrdup"),
        ("kmalloc", 64, "leaky_init", ".init.text", "__kmalloc"),
        ("kmalloc", 72, "leaky_timer", ".text", "__kmalloc"),
    ]
    assert ledger.leaks[2].pid == 0
    assert ledger.timeline[-1].bytes == 27 + 64 + 72
    assert "27 B of kmalloc allocated in leaky_init+0x" in str(ledger.leaks[0])
    assert "3 left (163 B)" in str(ledger)


def test_half_of_the_captured_trace_is_not_called_exact() -> None:
    made = builder()
    made.note(TracePages(lost=-1))
    made.note(TracePages(lost=4))
    made.note(TracePages(damaged=1))
    ledger = made.ledger()
    assert not ledger.exact
    assert ledger.doubts[0].startswith("the trace buffer was full and some events were lost")


def test_who_allocated_and_who_freed() -> None:
    made = builder()
    made.feed(kmalloc(0x100, 8, AT["kmalloc_trace"], AT["kstrdup"], MODULE + 0x45, AT["do_init_module"]))
    made.feed(kmalloc(0x200, 8, AT["kmalloc_trace"], AT["do_init_module"]))
    made.feed([kfree(0x200), kfree(0x100, MODULE + 0x1010)])
    ledger = made.ledger()
    (freed,) = ledger.freed
    assert str(freed.site) == "more+0x5 [mine]"
    assert freed.via == ("kstrdup", "kmalloc_trace")
    assert freed.freed_by == "begin+0x10 [mine]"
    assert (ledger.allocations, ledger.frees, ledger.allocated) == (1, 1, 8)
    with pytest.raises(UsageError, match="still loaded"):
        ledger.leaks
    made.feed([event("module_free", name="mine")])
    assert not made.ledger().leaks


def test_an_interrupt_of_the_module_is_not_the_module() -> None:
    made = builder()
    made.feed(kmalloc(0x100, 8, AT["kmalloc_trace"], AT["asm_common_interrupt"], MODULE + 0x10))
    made.feed(kmalloc(0x200, 8, AT["kmalloc_trace"], MODULE + 0x10, AT["asm_common_interrupt"], AT["kstrdup"]))
    assert [one.address for one in made.ledger().live] == [0x200]


def test_an_interrupt_between_an_allocation_and_its_stack() -> None:
    made = builder()
    made.feed(
        [
            event("kmalloc", ptr=0x100, bytes_req=1),
            event("kmalloc", flags=8, ptr=0x200, bytes_req=2),
            stack(MODULE + 0x10, flags=8),
            event("kmalloc", cpu=1, pid=7, ptr=0x300, bytes_req=3),
            stack(AT["kstrdup"]),
            stack(MODULE + 0x50, cpu=1, pid=7),
        ]
    )
    ledger = made.ledger()
    assert [(one.address, one.site.function) for one in ledger.live] == [(0x200, "use"), (0x300, "more")]
    assert ledger.exact


def test_an_allocation_without_a_stack_is_a_doubt() -> None:
    made = builder()
    made.feed([event("kmalloc", ptr=0x100, bytes_req=1)])
    assert made.ledger().doubts == ("1 allocations came without a stack",)
    made.complete([stack(MODULE + 0x10), event("kmalloc", ptr=0x200, bytes_req=1)])
    assert made.ledger().exact and len(made.ledger().live) == 1


@pytest.mark.parametrize(
    ("kind", "frames", "counts"),
    [
        ("mm_page_alloc", ["__alloc_pages", "allocate_slab", "kmalloc_trace"], False),
        ("mm_page_alloc", ["__alloc_pages"], True),
        ("mm_page_alloc", ["__alloc_pages", "__vmalloc_node_range"], False),
        ("kmalloc", ["kmalloc_trace", "__vmalloc_node_range"], False),
        ("kmalloc", ["kmalloc_trace", "path_openat"], False),
        ("kmalloc", ["kmalloc_trace", "xa_store"], True),
        ("kmalloc", ["kmalloc_trace", "ida_alloc_range", "proc_register"], False),
        ("kmalloc", ["kmalloc_trace", "proc_register"], True),
        ("vm_get", ["__vmalloc_node_range"], True),
    ],
)
def test_what_the_kernel_keeps_for_itself_is_not_the_modules(kind: str, frames: list[str], counts: bool) -> None:
    made = builder()
    made.feed(
        [
            event(kind, ptr=0x100, pfn=5, order=0, addr=0x100, size=8192, bytes_req=1),
            stack(*(AT[name] for name in frames), MODULE + 0x10),
        ]
    )
    assert bool(made.ledger().live) == counts


def test_an_inline_function_of_the_kernel_that_lies_in_the_module_is_the_kernels() -> None:
    code = ModuleCode("mine", (CodeSection(".text", 0x104, 16, ((0, 0x40, "vmap.constprop.0"), (0x40, 0xC0, "more"))),))
    symbols = KernelSymbols([(KERNEL + 0x1000 * index, name) for index, name in enumerate([*NAMES, "_etext"])])
    made = LedgerBuilder(Owners(symbols, [code]))
    made.feed(loading(MODULE))
    for address, frames in ((0x100, (MODULE + 0x10, MODULE + 0x45)), (0x200, (MODULE + 0x10, AT["do_init_module"]))):
        made.feed([event("vm_get", addr=address, size=8192), stack(AT["__vmalloc_node_range"], *frames)])
    found = [(str(one.site), one.via) for one in made.ledger().live]
    assert found == [
        ("more+0x5 [mine]", ("vmap", "__vmalloc_node_range")),
        ("vmap.constprop.0+0x10 [mine]", ("__vmalloc_node_range",)),
    ]


def test_pages_given_back_one_by_one() -> None:
    made = builder()
    made.feed([event("mm_page_alloc", pfn=64, order=2), stack(AT["__alloc_pages"], MODULE + 0x10)])
    for pfn in (65, 66, 67, 67, 99):
        made.feed([event("mm_page_free_batched", pfn=pfn)])
    assert [one.size for one in made.ledger().live] == [16384]
    made.feed([event("mm_page_free", pfn=64, order=0)])
    assert not made.ledger().live


def test_both_forms_of_kvfree_call_rcu() -> None:
    made = builder()
    made.feed(kmalloc(0x8000, 64, MODULE + 0x10))
    made.feed(kmalloc(0x9000, 64, MODULE + 0x10))
    made.feed([event("kvfree_rcu", head=0x8010, arg=0x10), event("kvfree_rcu", head=0, arg=0x9000)])
    made.feed(kmalloc(0xA000, 64, MODULE + 0x10))
    made.feed([event("kvfree_rcu", head=0xA010, arg=0xA000)])
    assert not made.ledger().live


def test_frees_of_linux_7_that_it_does_not_trace() -> None:
    made = builder()
    made.feed(kmalloc(0x8000, 64, MODULE + 0x10))
    made.feed(kmalloc(0x9000, 64, MODULE + 0x10))
    made.feed([event("kvfree_rcu_nolock", head=0x8010, arg=0x8000), event("kfree_nolock", ptr=0x9000, call_site=0)])
    ledger = made.ledger()
    assert not ledger.live
    assert [one.freed_by for one in ledger.freed] == ["kfree_rcu", "kfree_nolock"]


@pytest.mark.parametrize(
    "inner",
    [
        # Linux 7.3.4, unregister_netdev() of a module.
        ("__kmalloc_flags_noprof", "__kfree_rcu_sheaf", "kvfree_call_rcu", "drop_sysctl_table", "unregister_netdev"),
        ("__kmalloc_flags_noprof", "__pcs_replace_empty_main", "kmem_cache_alloc_noprof"),
        ("__kmalloc_flags_noprof", "__pcs_replace_full_main", "kfree"),
    ],
    ids=lambda inner: inner[1],
)
def test_the_arrays_of_a_slab_cache_are_the_caches(inner: tuple[str, ...]) -> None:
    made = builder()
    made.feed(kmalloc(0x100, 128, *(AT[name] for name in inner), MODULE + 0x10))
    assert made.ledger().allocations == 0
    made.feed(kmalloc(0x200, 128, AT["__kmalloc_flags_noprof"], AT["unregister_netdev"], MODULE + 0x10))
    assert [one.address for one in made.ledger().live] == [0x200]


def test_bulk_frees_longer_than_what_is_listed() -> None:
    made = builder()
    for address in (0x100, 0x200):
        made.feed(kmalloc(address, 8, MODULE + 0x10))
    made.feed([event("bulk_free", nr=5, caller=AT["kfree_rcu_work"], p=(0x100, 0x300))])
    assert made.ledger().exact and len(made.ledger().live) == 1
    made.feed([event("bulk_free", nr=5, caller=AT["kstrdup"], p=(0x300, 0x400))])
    assert made.ledger().doubts == ("3 objects were freed in bulk without their addresses",)
    made.feed([kfree(0x200)])
    assert made.ledger().exact


def test_a_cache_shared_by_two_is_gone_when_both_are_done() -> None:
    made = builder()
    for _ in range(2):
        made.feed([event("cache_new", cache=0x100, size=200), stack(MODULE + 0x10)])
    made.feed([event("cache_destroy", cache=0x100)])
    assert len(made.ledger().live) == 1
    made.feed([event("cache_destroy", cache=0x100), event("cache_destroy", cache=0x100)])
    assert not made.ledger().live


def test_an_address_given_out_again_was_freed_unseen() -> None:
    made = builder()
    made.feed(kmalloc(0x100, 8, MODULE + 0x10))
    made.feed(kmalloc(0x100, 16, AT["kstrdup"]))
    assert not made.ledger().live


def test_an_address_of_the_module_that_is_given_to_another_is_no_longer_its() -> None:
    made = builder()
    made.feed([event("module_free", name="mine"), event("module_alloc_ret", pid=9, base=MODULE)])
    made.feed(kmalloc(0x100, 8, MODULE + 0x10))
    assert not made.ledger().live


def test_a_module_loaded_before_the_trace() -> None:
    made = builder(loaded=False)
    made.owners.place("mine", MODULE, 0x2000)
    made.feed(kmalloc(0x100, 8, MODULE + 0x41))
    assert str(made.ledger().live[0].site) == "more+0x1 [mine]"
    assert made.ledger().loaded == {"mine"}


def test_lines_come_from_whoever_knows_them() -> None:
    asked: list[CallSite] = []

    def locate(sites: Sequence[CallSite]) -> list[CallSite]:
        asked.extend(sites)
        return [replace(site, file="mine.c", line=12) for site in sites]

    made = builder()
    for address in (0x100, 0x200):
        made.feed(kmalloc(address, 8, MODULE + 0x1010))
    located = made.ledger().located(locate)
    assert {str(one.site) for one in located.live} == {"begin+0x10 [mine] at mine.c:12"}
    assert [(one.section, one.section_offset) for one in asked] == [(".init.text", 0x10)]


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_pairing_is_that_of_a_model(seed: int, steps: int) -> None:
    chance, made, model, theirs = random.Random(seed), builder(), {}, set()
    for _ in range(steps):
        address = chance.randrange(1, 40) * 0x100
        choice = chance.random()
        if address in model or address in theirs:
            made.feed([kfree(address)])
            model.pop(address, None)
            theirs.discard(address)
        elif choice < 0.6:
            size = chance.randrange(1, 9000)
            made.feed(kmalloc(address, size, AT["kstrdup"], MODULE + 0x20))
            model[address] = size
        else:
            made.feed(kmalloc(address, 5, AT["kstrdup"]))
            theirs.add(address)
    ledger: Ledger = made.ledger()
    assert {one.address: one.size for one in ledger.live} == model
    assert ledger.exact and ledger.allocations - ledger.frees == len(model) == made.holds
    if ledger.timeline:
        assert (ledger.timeline[-1].bytes, ledger.timeline[-1].objects) == (sum(model.values()), len(model))


def test_the_timeline_is_bounded_and_ends_right() -> None:
    made = builder()
    for _ in range(9000):
        made.feed(kmalloc(0x100, 8, MODULE + 0x20))
        made.feed([kfree(0x100)])
    ledger = made.ledger()
    assert ledger.allocations == 9000 and len(ledger.freed) == 9000
    assert len(ledger.timeline) < 4001 and ledger.timeline[-1].objects == 0


def test_code_of_a_module() -> None:
    code = ModuleCode.read("leaky", (DATA / "leaky.ko.xz").read_bytes())
    names = {name for section in code.sections for _, _, name in section.functions}
    assert {"leaky_timer", "leaky_init", "leaky_exit"} <= names
    assert [section.name for _, section in code.layout(init=True)] == [".init.text"]
    assert CODE.find(0x140, init=False) is None
    assert str(CODE.find(0x141, init=False)) == "end+0x1 [mine]"
    assert str(CODE.find(0x100, init=False)) == "more+0xc0 [mine]"
    with pytest.raises(RecordParseError):
        ModuleCode.read("x", b"\x7fELF" + b"\0" * 100)


def test_symbols_of_the_kernel() -> None:
    symbols = KernelSymbols.parse(
        "0000000000001000 T one\n0000000000002000 t two\nx T bad\n3000 D data\n4000 t mod [m]\n2800 T end\n"
    )
    assert symbols.find(0x1004) == ("one", 4)
    assert symbols.find(0x10) == symbols.find(0x9000) == ("", 0)
    assert symbols.address("two") == 0x2000 and symbols.names() == {"one", "two", "end"}
