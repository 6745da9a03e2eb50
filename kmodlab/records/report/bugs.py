# SPDX-License-Identifier: MIT
"""What the kernel finds wrong itself: BUG, WARN, panics and its own checks of lists, counts, memory and pages.

The lines stand in ``lib/bug.c``, ``kernel/panic.c``, ``lib/list_debug.c``, ``lib/refcount.c``, ``mm/usercopy.c``,
``mm/slub.c``, ``mm/page_alloc.c``, ``kernel/sched/core.c`` and others that the patterns name.
"""

from __future__ import annotations

from kmodlab.records.report.form import form

__all__ = ["FORMS", "GENERIC_PANIC"]

# Panics that only say that the fault reported before was the last one.
GENERIC_PANIC = (
    r"(?:Oops: )?Fatal exception|(?:kernel: |KASAN: |KCSAN: |KFENCE: |UBSAN: )?panic_on_(?:warn|oops)|softlockup:"
    r"|hung_task:"
    r"|RCU Stall|Hard LOCKUP|hard LOCKUP|scheduling while atomic|kernel stack overflow|Oops\b|Machine halted|Aiee"
    r"|Watchdog detected hard LOCKUP|UBSAN:|kfence|Attempted to kill the idle"
)

FORMS = (
    form("bug", r"(?:kernel BUG at \S{1,300}:[0-9]+!|kernel BUG at )", "kernel BUG in {function}", rank=50),
    form("warning", r"WARNING: (?:CPU: [0-9]+ PID: [0-9]+ )?at \S{1,300}:[0-9]+", "WARNING in {function}", rank=45),
    form(
        "warning",
        r"WARNING: (?:\[.{1,200}\] )?\S{1,300}:[0-9]+ at (?:[\w.$]+\+0x|0x)",
        "WARNING in {function}",
        rank=45,
    ),
    form(
        "list-corruption",
        r"list_(?:add|del)(?: corruption|_entry| double add)?[ .:](?=.*(?:corruption|double add|should be|is "
        r"LIST_POISON))",
        "BUG: corrupted list in {function}",
        rank=70,
        begins=False,
    ),
    form("refcount", r"refcount_t: ", "WARNING: refcount bug in {function}", rank=70, begins=False),
    form("object-debug", r"ODEBUG: ", "WARNING: ODEBUG bug in {function}", rank=70, begins=False),
    form(
        "usercopy",
        r"usercopy: Kernel memory (?:exposure|overwrite) attempt|usercopy: kernel memory (?:exposure|overwrite) "
        r"attempt",
        "BUG: bad usercopy in {function}",
        rank=70,
        begins=False,
    ),
    form(
        "buffer-overflow",
        r"(?:detected buffer overflow in |Buffer overflow detected|\w{1,30}: detected buffer overflow"
        r"|\w{1,30}: detected \d+ byte \w+ of buffer|memcpy: detected field-spanning)",
        "",
        rank=70,
        begins=False,
    ),
    form(
        "freed-memory",
        r"Trying to vfree\(\) (?:nonexistent|bad)",
        "",
        rank=70,
        begins=False,
    ),
    form(
        "slab-corruption",
        r"BUG \S{1,60} \((?:Not tainted|Tainted: [^)]{1,60})\): (?P<name>[A-Z][\w ]{1,60})",
        "BUG: slab: {name} in {function}",
        rank=60,
    ),
    form(
        "scheduling-while-atomic",
        r"BUG: scheduling while atomic: ",
        "BUG: scheduling while atomic in {function}",
        rank=70,
        search="wait",
    ),
    form(
        "sleep-in-atomic",
        r"BUG: sleeping function called from invalid context at ",
        "BUG: sleeping function called from invalid context in {function}",
        rank=70,
        search="wait",
    ),
    form(
        "preemptible",
        r"BUG: using (?P<name>\w{1,60}\(\)) in preemptible",
        "BUG: using {name} in preemptible code in {function}",
        rank=60,
    ),
    form(
        "atomic-leak",
        r"BUG: workqueue leaked (?:lock or atomic|atomic, lock or RCU): ",
        "BUG: workqueue leaked lock or atomic in {function}",
        rank=60,
        search="text",
    ),
    form(
        "spinlock",
        r"BUG: (?P<name>(?:spinlock|rwlock) (?:bad magic|lockup suspected|recursion|already unlocked|wrong owner"
        r"|wrong CPU|cpu recursion))",
        "BUG: {name} in {function}",
        rank=60,
        search="lock",
    ),
    form(
        "bad-page",
        r"BUG: Bad (?P<name>page (?:state|cache|map)|rss-counter state|swap) ?",
        "BUG: Bad {name} in {function}",
    ),
    form("dentry", r"BUG: Dentry \S+ ?\{[^}]*\} +still in use", "BUG: Dentry still in use in {function}", rank=60),
    form("freed-lock", r"BUG: .{1,40} still has locks held!", "BUG: still has locks held in {function}", search="lock"),
    form(
        "proc-entry",
        r"(?:remove_)?proc_(?:dir_entry|entry)[: ].{0,200}(?:already registered|non-existent)|name '[^']*'$",
        "WARNING: proc registration bug in {function}",
        rank=60,
        begins=False,
    ),
    form(
        "name-clash",
        r"sysfs: cannot create duplicate filename |debugfs: (?:Directory|File) '[^']{1,200}'.{0,60} already present!",
        "WARNING: duplicate name in {function}",
        rank=60,
    ),
    form(
        "kobject",
        r"kobject_add_internal failed for|kobject: '[^']{0,80}' \(\S+\): (?:is not|tried)",
        "WARNING: kobject bug in {function}",
        rank=60,
        begins=False,
    ),
    form(
        "stack-corruption",
        r"Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: ",
        "kernel panic: stack is corrupted in {function}",
        rank=75,
        search="text",
    ),
    form(
        "stack-overflow",
        r"Kernel panic - not syncing: corrupted stack end detected inside scheduler",
        "kernel panic: corrupted stack end in {function}",
        rank=75,
        search="wait",
    ),
    form(
        "panic",
        r"Kernel panic - not syncing: (?P<name>.{0,200}?)(?: exitcode=.*)?$",
        "kernel panic: {name}",
        rank=5,
    ),
)
