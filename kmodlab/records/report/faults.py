# SPDX-License-Identifier: MIT
"""Faults that the processor raises: bad pointers, bad instructions, full stacks.

The lines stand in ``arch/x86/mm/fault.c``, ``arch/x86/kernel/{traps,dumpstack}.c`` and ``arch/arm64/mm/fault.c``,
``arch/arm64/kernel/traps.c``.
"""

from __future__ import annotations

from kmodlab.records.report.form import form

__all__ = ["FORMS"]

_HEX = r"(?P<address>(?:0x)?[0-9a-f]{8,16})"
_HEX2 = r"(?P<address2>(?:0x)?[0-9a-f]{8,16})"
# Since 6.10 every one of these is "Oops: invalid opcode: 0000 [#1]".
_DIE = r"(?:Oops: )?"
_CODE = r"(?:(?:,| for) [^:]{1,120})?(?:: [0-9a-f]{4})? \[#[0-9]+\]"

FORMS = (
    form(
        "null-dereference",
        rf"(?:BUG: )?(?:kernel NULL pointer dereference, address: {_HEX}"
        rf"|[Uu]nable to handle kernel NULL pointer dereference(?: at (?:virtual address )?(?:\(null\)|{_HEX2}))?)",
        "NULL pointer dereference in {function}",
        rank=80,
    ),
    form(
        "execute-fault",
        r"kernel tried to execute (?:NX-protected page|page)",
        "BUG: unable to handle kernel paging request in {function}",
        rank=81,
        begins=False,
        access="execute",
    ),
    form(
        "execute-fault",
        r"unable to execute userspace code|kernel tried to execute user(?:space)? code",
        "BUG: unable to handle kernel paging request in {function}",
        rank=81,
        begins=False,
        access="execute",
    ),
    form(
        "user-access",
        rf"Unable to handle kernel access to user memory(?: outside uaccess routines)? at virtual address {_HEX}",
        "BUG: unable to handle kernel access to user memory in {function}",
        rank=80,
    ),
    form(
        "page-fault",
        rf"(?:BUG: )?(?:unable to handle page fault for address: {_HEX}"
        rf"|[Uu]nable to handle kernel (?:[\w/ -]{{1,60}}?) at (?:virtual )?(?:address )?{_HEX2})",
        "BUG: unable to handle kernel paging request in {function}",
        rank=79,
    ),
    form(
        "stack-overflow",
        r"BUG: (?:\S{1,40} )?stack guard page was hit at|BUG: (?:TASK|IRQ|#DF|NMI) stack guard page",
        "BUG: stack guard page was hit in {function}",
        rank=85,
        follows=True,
    ),
    form(
        "stack-overflow",
        r"Insufficient stack space to handle exception!",
        "kernel stack overflow in {function}",
        rank=85,
    ),
    form(
        "stack-overflow",
        r"kernel stack overflow \((?:double-fault|page fault)\)",
        "kernel stack overflow in {function}",
        rank=85,
        follows=True,
    ),
    form(
        "double-fault",
        r"(?:traps: )?PANIC: double fault",
        "PANIC: double fault in {function}",
        rank=75,
        follows=True,
    ),
    form("double-fault", rf"{_DIE}double fault{_CODE}", "PANIC: double fault in {function}", rank=74, follows=True),
    form(
        "general-protection",
        rf"{_DIE}(?:segment-related )?general protection fault(?:(?:,| for) [^:]{{0,60}}? ?(?:address|non-canonical "
        rf"address) (?:0x)?(?P<address>[0-9a-f]{{8,16}}))?{_CODE}",
        "general protection fault in {function}",
        rank=70,
        follows=True,
    ),
    form("divide-error", rf"{_DIE}divide[ _]error{_CODE}", "divide error in {function}", rank=70, follows=True),
    form("invalid-opcode", rf"{_DIE}invalid opcode{_CODE}", "invalid opcode in {function}", rank=20, follows=True),
    form("breakpoint", rf"{_DIE}int3{_CODE}", "int3 in {function}", rank=70, follows=True),
    form("stack-segment", rf"{_DIE}stack segment{_CODE}", "stack segment fault in {function}", rank=70, follows=True),
    form(
        "stack-overflow",
        rf"{_DIE}stack guard page{_CODE}",
        "BUG: stack guard page was hit in {function}",
        rank=70,
        follows=True,
    ),
    form(
        "exception",
        rf"{_DIE}(?P<name>alignment check|control protection|bounds|overflow|debug|simd exception|machine check"
        rf"|segment not present|invalid TSS|unhandled exception|coprocessor segment overrun){_CODE}",
        "{name} in {function}",
        rank=60,
        follows=True,
    ),
    form("oops", r"Oops: [0-9a-f]{4}(?: \[#[0-9]+\])", "Oops in {function}", rank=10, follows=True),
    form(
        "oops",
        r"Internal error: (?:Oops(?: - (?!BUG)(?P<name>[\w /-]{1,40}))?|[\w /-]{0,60}): [0-9a-f]{1,16} \[#[0-9]+\]",
        "Internal error in {function}",
        rank=10,
        follows=True,
    ),
    form("bug", r"Internal error: Oops - BUG: ", "kernel BUG in {function}", rank=40, follows=True),
    form(
        "exception",
        r"Unexpected kernel BRK exception at EL1|Bad mode in ",
        "{line} in {function}",
        rank=9,
        begins=False,
    ),
)
