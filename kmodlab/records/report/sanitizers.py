# SPDX-License-Identifier: MIT
"""Reports of the kernel's sanitizers: KASAN, KMSAN, KCSAN, KFENCE, UBSAN, and of kmemleak.

The lines stand in ``mm/kasan/report.c``, ``mm/kmsan/report.c``, ``kernel/kcsan/report.c``, ``mm/kfence/report.c``,
``lib/ubsan.c`` and ``mm/kmemleak.c``.
"""

from __future__ import annotations

from kmodlab.records.report.form import form

__all__ = ["FORMS"]

FORMS = (
    form(
        "kasan-{name}",
        r"BUG: KASAN: (?P<name>[\w-]{1,60}) (?:in|on address|to address) ",
        "KASAN: {name}{access} in {function}",
        rank=90,
    ),
    form(
        "kasan-double-free",
        r"BUG: KASAN: double-free or invalid-free in ",
        "KASAN: invalid-free in {function}",
        rank=91,
        access="free",
    ),
    form(
        "kasan-null-ptr-deref",
        r"KASAN: (?:null-ptr-deref|maybe wild-memory-access|probably (?:user|wild)-memory-access) in range",
        "general protection fault in {function}",
        rank=69,
        begins=False,
    ),
    form("kmsan-{name}", r"BUG: KMSAN: (?P<name>[\w-]{1,60}) in ", "KMSAN: {name} in {function}", rank=90),
    form("data-race", r"BUG: KCSAN: (?P<name>(?:data-race|assert: race) in .{1,200})$", "KCSAN: {name}", rank=90),
    form(
        "kfence-{name}",
        r"BUG: KFENCE: (?P<name>[a-z-]{1,40}(?: (?:read|write|free|corruption|access))?) in ",
        "KFENCE: {name} in {function}",
        rank=90,
    ),
    form(
        "kfence-{name}",
        r"BUG: KFENCE: (?P<name>invalid free|memory corruption) in ",
        "KFENCE: {name} in {function}",
        rank=91,
    ),
    form(
        "ubsan-undefined-behaviour",
        r"UBSAN: Undefined behaviour in ",
        "UBSAN: undefined-behaviour in {function}",
        rank=90,
    ),
    form("ubsan-{name}", r"UBSAN: (?P<name>[a-z][\w-]{1,60}) in ", "UBSAN: {name} in {function}", rank=89),
    form(
        "ubsan-trap",
        r"(?:Internal error: )?UBSAN: (?P<name>[a-z][\w ]{1,60})(?:: [0-9a-f]+ \[#[0-9]+\])?$",
        "UBSAN: {name} in {function}",
        rank=71,
        follows=True,
    ),
    form("memory-leak", r"BUG: memory leak$", "memory leak in {function}", rank=90, search="leak"),
    form(
        "memory-leak",
        r"unreferenced object 0x[0-9a-f]{8,16} \(size [0-9]+\):",
        "memory leak in {function}",
        rank=89,
        search="leak",
        follows=True,
        loud=False,
    ),
)
