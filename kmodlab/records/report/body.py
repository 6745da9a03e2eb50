# SPDX-License-Identifier: MIT
"""Which lines belong to a report, and which of them head a trace."""

from __future__ import annotations

import re

from kmodlab.records.report.frames import place_of, read_frame, read_pointer
from kmodlab.records.report.prefix import Line

__all__ = ["HEADER", "NOT_A_TRACE", "is_body"]

# Beginnings of lines that stand only inside reports.
_BODY = re.compile(
    r"\s*(?:\S{1,40}/[0-9]+ (?:\[.{1,60}\] )?(?:is|takes)\b|(?:Use-after-free|Out-of-bounds|Invalid|Corrupted) "
    r"|[CE]?PU: ?[0-9]+ |CPU#|Hardware name: |Tainted: |Not tainted|Call [Tt]race:|Backtrace:|Modules linked "
    r"in:|Code: "
    r"|[RE]?(?:SP|IP|AX|BX|CX|DX|SI|DI|BP|FLAGS|8|9|1[0-5]): |R[0-9]{2}: |x[0-9]{1,2} ?: [0-9a-f]{8}|(?:sp|pc|lr"
    r"|pstate|pmr_save) ?: "
    r"|FS: |GS: |CS: |CR[0-9]: |DR[0-9]: |PKRU: |Stack:|PGD |P4D |#PF: |Mem abort info|Data abort info|ESR |  "
    r"?(?:ESR|EC|FSC|ISV|CM|SET|EA|S1PTW) = "
    r"|\[[0-9a-f]{16}\] |swapper pgtable|user pgtable|Oops|SMP|Dumping ftrace|\(ftrace buffer|---\[ |={20,}|-{20,}"
    r"|<(?:/?[A-Z#_]{2,20})>"
    r"|Workqueue: |Process |task: |thread_info|irq event stamp|hardirqs last|softirqs last|The buggy address|page:"
    r"|page dumped|raw: |flags: "
    r"|Memory state around|[> ][0-9a-f]{16}: |\^|(?:Read|Write) (?:of size|at addr)|(?:Allocated|Freed) (?:by|in)|Last "
    r"potentially|Second to last|object |head:"
    r"|Kernel Offset|stack backtrace|other info|Possible unsafe|\*\*\* DEADLOCK|#[0-9]+: |-> #[0-9]+|but task|which "
    r"lock|the existing"
    r"|(?:is trying to|and this task|but there are|and )|[0-9]+ locks? held by|no locks held|locks held by|2 locks"
    r"|CPU[0-9]"
    r"|rcu: |\"echo 0 > |task:|NMI backtrace|Sending NMI|\(t=|\(detected by|hex dump|comm \"|backtrace|[0-9a-f]{2} "
    r"[0-9a-f]{2} "
    r"|Uninit was|Local variable|Bytes [0-9]|Memory access of size|Reported by Kernel|value changed|(?:write|read"
    r"|race|assert) (?:to|at|no) "
    r"|preempt_count|in_atomic|Preemption disabled|CFI|stack guard|Insufficient|Task stack|IRQ stack|Overflow stack"
    r"|FAR:|kfence-#|allocated by|freed by"
    r"|last function: |index [0-9-]|shift exponent|load of|member access|signed integer|division by|[0-9-]+ [-+*] "
    r"[0-9-]+ cannot)"
)
HEADER = re.compile(
    r"\s*(?:(?P<call>Call [Tt]race:|[Bb]acktrace(?: \(crc [0-9a-f]+\))?:|stack backtrace:)|(?P<title>(?:Allocated"
    r"|Freed) by task [0-9]+|(?:Allocated|Freed) in .{1,200}|"
    r"Last potentially related work creation|Second to last potentially related work creation|.{0,120}(?:allocated"
    r"|freed) by task [0-9]+.{0,60}"
    r"|Uninit was (?:stored to memory|created) at|Local variable .{1,120} created at|NMI backtrace for cpu [0-9]+"
    r"|-> #[0-9]+ \(.{1,200}\).{0,60}|rcu: RCU grace-period kthread stack dump|(?:write|read|read-write|race"
    r"|assert)\S* .{0,120}by (?:task|interrupt).{0,60}"
    r"|(?:the existing dependency chain|the dependencies between|and the dependencies|the backtraces? of).{0,100}"
    r"|kfence-#.{1,120}"
    r"|CPU: [0-9]+ .{0,200}skipped: idling.*|Showing all locks held.*|(?:hard|soft)irqs last.{0,160}|Preemption "
    r"disabled at"
    r"|last function: (?P<last>[\w.]+)|(?P<at>INITIAL USE at|IN-\S+ at|HARDIRQ-ON\S* at)|stack of locks|other "
    r"info.{0,80})):?\s*$"
)
NOT_A_TRACE = re.compile(
    r"\s*(?:#[0-9]+: |hardirqs last|softirqs last|Preemption disabled at|\[<[0-9a-f]+>\] *0x0|(?:[0-9]+ )?locks? "
    r"held|lr : |LR is at)"
)


def is_body(line: Line) -> bool:
    """Return true if a line is of the sort that stands in a report."""
    text = line.text
    return bool(
        _BODY.match(text) or ("+0x" in text and (read_frame(text) or place_of(text))) or read_pointer(text) is not None
    )
