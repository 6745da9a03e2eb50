# SPDX-License-Identifier: MIT
"""What each kind of fault usually means and what to try: one sentence, for those who meet it for the first time."""

from __future__ import annotations

from types import MappingProxyType

__all__ = ["EXPLANATIONS", "explanation"]

_GENERAL = (
    "The kernel found a fault of its own; read the trace from your function outward, and look at the line it names."
)

EXPLANATIONS = MappingProxyType(
    {
        "null-dereference": (
            "A pointer that is NULL (or NULL plus the offset of a field) was used; check what returned it, "
            "and test it before use."
        ),
        "page-fault": (
            "An address was used at which nothing is mapped, or that is read-only: a pointer that was never "
            "set, was freed, or ran past its array; print it with %px just before, and check where it comes "
            "from."
        ),
        "user-access": (
            "An address of a program was used as if it were the kernel's; use copy_from_user(), "
            "copy_to_user(), get_user() or put_user(), or look for a pointer that was never set."
        ),
        "execute-fault": (
            "The kernel jumped to an address that is no code: a function pointer that was never set, was "
            "overwritten, or belongs to an unloaded module; check the structure that holds it."
        ),
        "general-protection": (
            "An address was used that no pointer can have; often it is memory that was freed (0x6b6b… or "
            "0xdead…) or never written: look for a use after kfree() and for fields that were not set."
        ),
        "divide-error": "A number was divided by zero, or the result did not fit; test the divisor first.",
        "invalid-opcode": (
            "The processor met an instruction it does not know: a jump to a wrong place, or code that was overwritten."
        ),
        "breakpoint": (
            "The processor met a breakpoint instruction (int3) for which nobody had asked; look for one in "
            "inline assembly, or for code that was patched."
        ),
        "stack-segment": ("The stack pointer or an address relative to it was wrong; look for an overwritten stack."),
        "exception": "The processor refused an instruction; look at the line, and at inline assembly near it.",
        "oops": (
            "The processor could not carry out an instruction of the kernel; look at the pointers that the line uses."
        ),
        "stack-overflow": (
            "The kernel's stack (16 KiB) is full: end the recursion, and take large arrays from kmalloc() "
            "instead of local variables."
        ),
        "double-fault": (
            "A fault happened while another was being handled, mostly since the stack is full or the stack "
            "pointer is wrong; look for deep recursion and large local variables."
        ),
        "stack-corruption": (
            "A local array was written past its end and overwrote the return address; check the sizes given "
            "to copies into local variables."
        ),
        "bug": (
            "A BUG() or BUG_ON() was reached: a condition that its author holds to be impossible; look at the "
            "condition on that line and at what the caller passed."
        ),
        "warning": (
            "A WARN() was reached: something is not as it should be, and the kernel went on; look at the "
            "condition on that line and at what the caller passed."
        ),
        "panic": "The kernel gave up: nothing can go on after this; its words say why.",
        "list-corruption": (
            "The neighbours of a list entry do not point to it: it was added twice, deleted twice, or freed "
            "while still in the list; give it list_del() exactly once before kfree()."
        ),
        "refcount": (
            "A reference counter was used after it had reached zero, or fell below it: one put too many, or "
            "one get too few; pair each get with exactly one put."
        ),
        "object-debug": (
            "A timer, work or similar object was freed or set up anew while still active; stop it first "
            "(timer_delete_sync(), cancel_work_sync())."
        ),
        "usercopy": (
            "More was copied to or from a program than the object holds; check the length against the object's size."
        ),
        "buffer-overflow": (
            "A copy or fill is longer than the field it goes to; check the length against sizeof() of the field."
        ),
        "freed-memory": (
            "An address was freed that is not allocated: it was freed twice, or was never from this "
            "allocator; free each object once, with the function that belongs to its allocation."
        ),
        "slab-corruption": (
            "Memory around or inside an object of the allocator was overwritten, or freed twice; look for "
            "writes past the end and after kfree()."
        ),
        "bad-page": (
            "A page was freed while in use, or its bookkeeping was overwritten; check each get and put of pages."
        ),
        "scheduling-while-atomic": (
            "Something slept where it must not: with a spinlock held, with preemption or interrupts off, or "
            "in an interrupt; sleep outside, or use a mutex, GFP_ATOMIC or a work queue."
        ),
        "sleep-in-atomic": (
            "A function that may sleep was called where one must not: with a spinlock held, with preemption "
            "or interrupts off, or in an interrupt; call it outside, or use a mutex, GFP_ATOMIC or a work "
            "queue."
        ),
        "preemptible": (
            "Data of one processor was used while the task could move to another; use get_cpu() or this_cpu_…()."
        ),
        "atomic-leak": (
            "A work function returned with a lock held or preemption off; release on every path what it took."
        ),
        "spinlock": (
            "A spinlock was not set up, was taken twice, or was released by another; use spin_lock_init(), "
            "and pair each lock with one unlock."
        ),
        "proc-entry": (
            "An entry in /proc was made twice or removed without being there; remove it exactly once in the "
            "exit function."
        ),
        "name-clash": (
            "A file or folder was made under a name that is taken; choose another, or remove the first in the exit "
            "function and when init fails."
        ),
        "hang": "A task or processor does not come to an end; look at what its innermost line waits for or repeats.",
        "kobject": (
            "An object of the device model was added twice or not set up; check names, and add and delete once each."
        ),
        "dentry": "A file system was unmounted while an entry was still held; release each with dput().",
        "kasan-use-after-free": (
            "Memory was used after it had been freed; the report's further traces say where it was allocated "
            "and freed: free later, or stop whoever still uses it."
        ),
        "kasan-slab-use-after-free": (
            "Memory was used after kfree(); the report's further traces say where it was allocated and freed: "
            "free later, or stop whoever still uses it."
        ),
        "kasan-slab-out-of-bounds": (
            "Memory was used past the end of an allocated object; check index and length against the size "
            "that was allocated."
        ),
        "kasan-stack-out-of-bounds": ("A local array was used past its end; check index and length against its size."),
        "kasan-global-out-of-bounds": (
            "A global array was used past its end; check index and length against its size."
        ),
        "kasan-vmalloc-out-of-bounds": (
            "Memory of vmalloc() was used past its end; check index and length against its size."
        ),
        "kasan-double-free": (
            "The same memory was freed twice; set the pointer to NULL after kfree(), and free in one place only."
        ),
        "kasan-invalid-free": (
            "An address was freed that is not the start of an allocated object; pass kfree() exactly what "
            "kmalloc() returned."
        ),
        "kasan-null-ptr-deref": (
            "A pointer that is NULL (or NULL plus the offset of a field) was used; test it before use."
        ),
        "kasan-user-memory-access": (
            "An address of a program was used as if it were the kernel's; use copy_from_user() or copy_to_user()."
        ),
        "kasan": (
            "Memory was used that does not belong to the object: past its end, or after it was freed; look at "
            "the line and at the further traces."
        ),
        "kmsan-uninit-value": ("A value was used that nobody had written; set it first, or allocate with kzalloc()."),
        "kmsan-kernel-infoleak": (
            "Memory that nobody had written was copied to a program: its old content leaks; clear the whole "
            "structure first, with its padding."
        ),
        "kmsan": "Memory that nobody had written was used; set it first, or allocate with kzalloc().",
        "kfence": (
            "Memory was used past its end, after it was freed, or was freed wrongly; the report's further "
            "traces say where it was allocated and freed."
        ),
        "data-race": (
            "Two processors used the same data at once and at least one wrote; take a lock, or use "
            "READ_ONCE() and WRITE_ONCE() or atomics where that is enough."
        ),
        "ubsan-array-index-out-of-bounds": "An index lies outside its array; test it before use.",
        "ubsan-shift-out-of-bounds": (
            "A shift by a negative number, or by as many bits as the type has or more; test the count."
        ),
        "ubsan": (
            "The C language does not say what this operation does: an overflow, a shift too far, an index "
            "outside its array or a value that its type cannot have; test the operands first."
        ),
        "memory-leak": (
            "Memory was allocated and nothing points to it any more; free it on every path, the failing ones "
            "and the exit function included."
        ),
        "deadlock": (
            "Locks were taken in an order, or twice, such that tasks can wait for each other for ever; always "
            "take them in the same order, and never twice."
        ),
        "inconsistent-lock": (
            "A lock is taken in an interrupt and elsewhere with interrupts on: the interrupt can wait for "
            "ever for the task it interrupted; use spin_lock_irqsave() or spin_lock_bh() elsewhere."
        ),
        "wait-context": (
            "A lock that may sleep was taken where one must not sleep, such as under a raw spinlock; take it "
            "outside, or change the kind of one."
        ),
        "unlock-balance": (
            "A lock was released that was not held; pair each lock with exactly one unlock on every path."
        ),
        "freed-lock": "Memory was freed while a lock inside it was held; release the lock first.",
        "kept-lock": "A task went back to its program with a lock still held; release it on every path.",
        "nested-lock": "A nested lock was taken without the outer one that must protect it.",
        "uninitialised-lock": ("A lock was used before it was set up; call spin_lock_init() or mutex_init() first."),
        "lock-usage": ("A lock was used against its rules (released by another, taken while being freed, not set up)."),
        "rcu-usage": (
            "Data protected by RCU was used without rcu_read_lock(), or something slept inside it; wrap the "
            "access, or hold the lock that protects the writers."
        ),
        "hung-task": (
            "A task waits and nobody wakes it: a completion that never comes, or a lock that is never "
            "released; look at what the function waits for and who should provide it."
        ),
        "soft-lockup": (
            "A loop ran for seconds without giving others the processor, or waits for a lock that is never "
            "released; check what ends the loop, and use cond_resched() in long ones."
        ),
        "hard-lockup": (
            "A processor ran for seconds with interrupts off; check what ends the loop, and keep such parts short."
        ),
        "rcu-stall": (
            "A processor did not pass through the scheduler for seconds: a loop without end, with preemption "
            "off or inside rcu_read_lock(); check what ends the loop."
        ),
        "workqueue-lockup": ("Work waits in a queue and is not run, since a work function before it does not return."),
    }
)
"""By the kind of a report, or by what stands before a ``-`` in it."""


def explanation(kind: str) -> str:
    """Return what a kind of report usually means and what to try; something general for an unknown one."""
    while kind:
        if kind in EXPLANATIONS:
            return EXPLANATIONS[kind]
        kind = kind.rpartition("-")[0]
    return _GENERAL
