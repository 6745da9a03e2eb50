# SPDX-License-Identifier: MIT
"""What the kernel is told to trace for a ledger: its tracepoints, and probes where it has none."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

__all__ = [
    "EVENTS",
    "GROUP",
    "INSTANCE",
    "Probe",
    "choose_probes",
    "event_folders",
    "functions",
    "setup_script",
    "tear_down_script",
]

TRACING = "/sys/kernel/tracing"
GROUP = "kmodlab"
INSTANCE = f"{TRACING}/instances/{GROUP}"
"""A buffer of our own, so that a learner's tracing and ours do not meet."""

# Name and whether its stack is wanted. Those that a kernel does not have are left out.
EVENTS = (
    ("kmem/kmalloc", True),
    ("kmem/kmalloc_node", True),
    ("kmem/kmem_cache_alloc", True),
    ("kmem/kmem_cache_alloc_node", True),
    ("kmem/mm_page_alloc", True),
    ("percpu/percpu_alloc_percpu", True),
    ("kmem/kfree", False),
    ("kmem/kmem_cache_free", False),
    ("kmem/mm_page_free", False),
    ("kmem/mm_page_free_batched", False),
    ("percpu/percpu_free_percpu", False),
    ("module/module_load", False),
    ("module/module_free", False),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """A kprobe event.

    Attributes:
        name: the event's.
        functions: where it may sit, with its arguments: the first of them that the kernel has.
        result: it is taken where the function returns.
        stack: its stack is wanted.
        needed: what the ledger cannot see without it; empty: the probe is for old or new kernels only.
    """

    name: str
    functions: tuple[tuple[str, str], ...]
    result: bool = False
    stack: bool = False
    needed: str = ""


# struct vm_struct begins with next, addr, size since 2.6; $argN are the registers of the calling convention.
_PROBES = (
    Probe(
        "vm_get",
        (("__get_vm_area_node", "addr=+8($retval):x64 size=+16($retval):u64"),),
        result=True,
        stack=True,
        needed="vmalloc()",
    ),
    Probe("vm_remove", (("remove_vm_area", "addr=$arg1:x64"),), needed="vfree()"),
    Probe(
        "kvfree_rcu",
        (("kvfree_call_rcu", "head=$arg1:x64 arg=$arg2:x64"), ("kfree_call_rcu", "head=$arg1:x64 arg=$arg2:x64")),
    ),
    # Linux 7 has both for any context, and traces neither.
    Probe("kvfree_rcu_nolock", (("kfree_call_rcu_nolock", "head=$arg1:x64 arg=$arg2:x64"),)),
    Probe("kfree_nolock", (("kfree_nolock", "ptr=$arg1:x64 call_site=$stack0:x64"),)),
    Probe(
        "bulk_free",
        (("kmem_cache_free_bulk", "nr=$arg2:u64 caller=$stack0:x64 p=+0($arg3):x64[64]"),),
        needed="kmem_cache_free_bulk()",
    ),
    Probe("skb_release", (("skb_release_head_state", "skb=$arg1:x64"),), needed="napi_consume_skb()"),
    Probe(
        "skb_new",
        (
            ("__napi_alloc_skb", "skb=$retval:x64 size=\\{skb}:u64"),
            ("napi_alloc_skb", "skb=$retval:x64 size=\\{skb}:u64"),
        ),
        result=True,
        stack=True,
    ),
    Probe(
        "cache_new",
        (
            ("__kmem_cache_create_args", "cache=$retval:x64 size=\\{cache}:u64"),
            ("kmem_cache_create_usercopy", "cache=$retval:x64 size=\\{cache}:u64"),
            ("kmem_cache_create", "cache=$retval:x64 size=\\{cache}:u64"),
        ),
        result=True,
        stack=True,
        needed="kmem_cache_create()",
    ),
    Probe("cache_destroy", (("kmem_cache_destroy", "cache=$arg1:x64"),), needed="kmem_cache_destroy()"),
    Probe(
        "module_alloc",
        (("module_alloc", "size=$arg1:u64"), ("execmem_alloc", "size=$arg2:u64")),
        needed="where the module lies",
    ),
    Probe(
        "module_alloc_ret",
        (("module_alloc", "base=$retval:x64"), ("execmem_alloc", "base=$retval:x64")),
        result=True,
        needed="where the module lies",
    ),
)


def choose_probes(functions: Set[str], sizes: dict[str, int]) -> tuple[dict[str, str], list[str], list[str]]:
    """Choose the probes for a kernel.

    Args:
        functions: the names of its functions.
        sizes: bytes of a ``skb`` and of a ``cache``, for events that do not tell.

    Returns:
        Definitions for ``kprobe_events`` by event, the events whose stack is wanted, and what cannot be seen.
    """
    chosen, stacks, missing = {}, [], []
    for probe in _PROBES:
        place = next((place for place in probe.functions if place[0] in functions), None)
        if place is None:
            if probe.needed:
                missing.append(f"{probe.needed} cannot be traced on this kernel")
            continue
        arguments = place[1]
        for word, size in sizes.items():
            arguments = arguments.replace(f"{{{word}}}", str(size))
        # The many instances: how many threads may be inside the function at once.
        kind = "r64" if probe.result else "p"
        chosen[probe.name] = f"{kind}:{GROUP}/{probe.name} {place[0]} {arguments}"
        if probe.stack:
            stacks.append(probe.name)
    return chosen, stacks, missing


def functions() -> frozenset[str]:
    """Return the functions on which our probes may sit."""
    return frozenset(function for probe in _PROBES for function, _ in probe.functions)


def event_folders(probes: dict[str, str]) -> Iterator[str]:
    """Yield the folders of all events, below ``events``."""
    yield "ftrace/kernel_stack"
    yield from (name for name, _ in EVENTS)
    yield from (f"{GROUP}/{name}" for name in probes)


def setup_script(probes: dict[str, str], stacks: list[str], buffer_kb: int) -> str:
    """Return the shell script that makes the instance and begins to trace.

    A line ``missing EVENT`` on its output tells of a probe that the kernel refused.
    """
    lines = ["set -u", f"cd {TRACING} || exit 1", f"mkdir -p {INSTANCE} || exit 1"]
    for name, definition in probes.items():
        lines.append(f"echo '{definition}' >> kprobe_events 2>/dev/null || echo missing {name}")
    lines += [f"cd {INSTANCE} || exit 1", "echo global > trace_clock", f"echo {buffer_kb} > buffer_size_kb || exit 1"]
    wanted = [*EVENTS, *((f"{GROUP}/{name}", name in stacks) for name in probes)]
    for name, stack in wanted:
        trigger = f"echo stacktrace > events/{name}/trigger || exit 1; " if stack else ""
        lines.append(f"if [ -d events/{name} ]; then {trigger}echo 1 > events/{name}/enable || exit 1; fi")
    return "\n".join(lines)


def tear_down_script(probes: dict[str, str]) -> str:
    """Return the shell script that undoes `setup_script`."""
    lines = [f"cd {TRACING} || exit 1", f"echo 0 > {INSTANCE}/events/enable", f"rmdir {INSTANCE}"]
    lines += [f"echo -:{GROUP}/{name} >> kprobe_events 2>/dev/null" for name in probes]
    return "\n".join([*lines, "true"])
