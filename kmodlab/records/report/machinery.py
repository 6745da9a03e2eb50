# SPDX-License-Identifier: MIT
"""Functions that are never to blame: those that write the report, carry out the fault, or do as they are told."""

from __future__ import annotations

import re
from functools import lru_cache

from kmodlab.records.report.form import Search
from kmodlab.records.report.frames import bare_name

__all__ = ["INTERRUPT", "is_machinery"]

# What writes reports and handles exceptions.
_REPORTING = r"""
(?:__)?dump_(?:stack|backtrace|header|regs)\w* show_(?:stack|regs|trace|registers)\w* print_\w* __?show_\w+
arch_stack_walk stack_trace_\w+ save_stack\w* (?:__)?unwind_\w+ (?:__)?die(?:_\w+)? oops_\w+ crash_kexec
(?:n?m?i?_)?panic\w* vpanic __?warn\w* warn_\w+ (?:__)?report_bug\w* fixup_bug
(?:handle|do|exc|asm_exc|idt|trace_do|early)_(?:bug|trap|error_trap|ud2)\w*
(?:handle|do|exc|asm_exc|idt|trace_do|early)_(?:invalid_op|divide_error|general_protection|page_fault)\w*
(?:handle|do|exc|asm_exc|idt|trace_do|early)_(?:int3|double_fault|bounds|stack_segment)\w*
(?:handle|do|exc|asm_exc|idt|trace_do|early)_(?:machine_check|debug|nmi|async_page_fault)\w*
(?:handle|do|exc|asm_exc|idt|trace_do|early)_(?:user_fault|kern_addr_fault|user_addr_fault)\w*
do_(?:page_fault|translation_fault|mem_abort|alignment_fault|sp_pc_abort|undefinstr|bad_area)
do_(?:kern_addr_fault|user_addr_fault|sea|PrefetchAbort|DataAbort|BUG)
(?:__)?bad_area\w* no_context page_fault(?:_oops)? __do_page_fault __do_user_fault __do_kernel_fault __die_body
(?:asm_)?exc_\w+ invalid_op divide_error general_protection double_fault int3 error_entry error_code
kernelmode_fixup_or_oops spurious_kernel_fault fixup_exception
el1(?:h_64)?_(?:sync|abort|undef|dbg|brk64|bti|fpac|pc|ia|da|error)\w* el1_\w+ brk_handler bug_handler
bug_brk_handler call_break_hook do_debug_exception debug_exception\w* cfi_handler __bad_stack handle_bad_stack
panic_bad_stack ex_handler_\w+ (?:__)?kasan_\w* __asan_\w* __hwasan_\w* check_memory_region\w* describe_\w+
end_report start_report (?:complete|prepare)_report\w* object_err memory_is_\w+ (?:__)?kmsan_\w* __msan_\w*
(?:__)?kcsan_\w* __tsan_\w* set_report_info (?:__)?kfence_\w* __?ubsan_\w* handle_overflow ubsan_epilogue
val_to_string __sanitizer_\w* check_kcov_mode write_comp_data __fentry__ __ftrace\w*
_*might_\w+ __schedule_bug (?:__)?rcu_lockdep\w* lockdep_\w+
check_(?:deadlock|noncircular|prev_add|prevs_add|usage|irq_usage|wait_context|chain_key|lock)\w*
check_(?:preemption_disabled|flush_dependency)\w*
(?:__)?lock_(?:acquire|release|downgrade|set_class|is_held_type)\w* __lock_\w+
mark_(?:lock|held_locks|usage|lock_irq)\w* validate_chain\w* register_lock_class valid_state add_lock_to_list
save_trace rcu_lock_\w+ rcu_lock_acquire trace_hardirqs_o\w+
debug_(?:check_no_locks_\w+|lockdep_rcu\w*|smp_processor_id|object_\w+) __debug_(?:check_\w+|object_\w+)
debug_print_object debug_locks_off __this_cpu_preempt_check check_preemption_disabled debug_smp_processor_id
assign_lock_key look_up_lock_class print_lock\w* spin_bug spin_dump do_raw_spin_\w+ debug_spin_\w+
debug_check_no_locks\w* refcount_\w* __refcount_\w* (?:__)?list_(?:add|del)\w* __list_(?:add|del)_\w+
(?:raw_)?atomic\w* arch_atomic\w* instrument_\w+ kref_\w+ hlist_\w+ usercopy_abort
__check_(?:object_size|heap_object)\w*
check_(?:heap_object|stack_object|object_size|page_span|bogus_address|kernel_text_object)\w* __copy_overflow
copy_overflow fortify_panic __fortify_\w+ __stack_chk_fail report_usercopy bad_page\w*
(?:__)?slab_(?:err|bug|fix)\w* check_(?:object|slab|bytes_and_report)\w* free_debug_processing
alloc_debug_processing slab_pad_check free_consistency_checks alloc_consistency_checks __slab_err kmemleak_\w*
nmi_(?:cpu_backtrace|trigger|panic|handle)\w* trigger_\w*backtrace\w* arch_trigger_\w*
rcu_(?:dump_cpu_stacks|check_callbacks|sched_clock_irq|pending|check_gp_kthread\w*|stall_\w+) print_cpu_stall\w*
check_cpu_stall watchdog\w* is_softlockup default_do_nmi do_nmi end_repeat_nmi nmi perf_(?:event_)?overflow\w*
__perf_event_overflow handle_pmi\w* intel_pmu_\w+ x86_pmu_\w+ sched_show_task show_state_filter check_hung_\w+
__warn_printk __die die get_wchan preempt_count_(?:add|sub) debug_mutex_\w+ rwlock_bug __might_\w+ __cant_\w+
sched_dynamic_\w+ BUG_ON fault_in_\w+ instrumentation_\w+ __read_once_size\w* __write_once_size\w* READ_ONCE
WRITE_ONCE
"""
# What does as it is told: a bad argument is the caller's doing.
_HELPERS = r"""
(?:__)?(?:arch_)?mem(?:cpy|set|move|cmp)\w* (?:chr|scan|zero|dup)\w* (?:chr_inv|cpy_erms|cpy_orig|set_erms)\w*
(?:set_orig|move_erms)\w* (?:__)?str\w+ (?:__)?(?:raw_)?copy_(?:to|from|in)_(?:user|kernel)\w* _copy_\w+
_?__copy_\w+ copy_user_\w+ copy(?:in|out) __arch_copy_\w+ clear_user\w* __clear_user rep_(?:movs|stos)\w*
(?:__)?(?:get|put)_user\w* clear_page\w* copy_page\w* copy_mc_\w+ __pi_\w+ csum_partial\w*
(?:v|s|vs|sc|vsc|k|kv|kvas)n?printf vsnprintf vscnprintf string_nocheck string pointer number format_decode
vprintk\w* printk\w* _printk (?:__)?sysfs_streq hex_dump\w* crc32\w* (?:_)?find_(?:first|next)_\w*bit
(?:arch_)?(?:test|set|clear|change)_(?:and_\w+_)?bit\w*
(?:__)?(?:kmem_cache|k|kv|v|kvm?|vz?|slab|kmalloc|__vm)_?free(?:_\w+)? __?kfree\w* kfree_\w+ slab_free\w*
do_slab_free set_freepointer cache_free_\w* ___?cache_free __vunmap vunmap vfree\w* __vfree\w* kvfree\w* kzfree
free_to_partial_list free_large_kmalloc __free_slab\w* ___slab_free (?:_|__)?raw_(?:spin|read|write)_\w+
queued_(?:spin|read|write)_\w+ native_queued_\w+ __pv_queued_\w+ pv_(?:wait|queued)\w*
(?:_|__)?(?:spin|read|write)_(?:lock|unlock|trylock)\w* arch_(?:spin|read|write)_\w+
"""
# What keeps data for others: trees, lists, timers, queues, counted objects.
_LIBRARY = r"""
sysfs_\w+ (?:__)?kernfs_(?:add|create|new|remove|find)\w* (?:__)?debugfs_\w+ (?:__)?proc_(?:register|create|mkdir)\w*
class_create\w* device_(?:create|add|register)\w*
(?:__)?rb_\w+ __rb_\w+ timerqueue_\w+ xa_\w+ xas_\w+ __xa_\w+ idr_\w+ ida_\w+ radix_tree_\w+ __radix_tree_\w+
klist_\w+ llist_\w+ crc\w+ hex_\w+ (?:__)?(?:mutex|rt_mutex|ww_mutex|down|up|rwsem|osq)_\w+ down up osq_\w+
_atomic_dec_and_\w+ atomic_dec_and_\w+ lock_timer_base timer_is_static_object work_is_static_object
(?:mod|del|add)_timer\w* timer_(?:delete|shutdown|reduce)\w* __mod_timer __timer_\w+ detach_if_pending detach_timer
enqueue_timer debug_check_no_obj_freed debug_print_object __wake_up\w* wake_up_\w+ finish_wait prepare_to_wait\w*
add_wait_queue\w* remove_wait_queue autoremove_wake_function kobject_\w+ kref_\w+ kset_\w+
skb_(?:panic|push|pull|put|over_panic|under_panic)\w* __skb_\w+ (?:__)?queue_(?:delayed_)?work\w* insert_work
kthread_stop\w* complete\w* swake_\w+ wait_for_comp\w+ ref_tracker_\w+ folio_unlock unlock_page unlock_buffer
__x86_indirect_\w+ __x86_return_thunk retint_\w+ restore_regs\w* do_tag_\w+ do_tag_check_\w+ asm_\w+ __sysvec_\w+
sysvec_\w+ read_word_at_a_time flush_work __flush_work cancel_work\w* _*might_\w+ usb_(?:submit|kill)_urb
kill_fasync\w* wait_for_completion\w* assertfail __phys_addr\w* virt_to_\w+ native_\w+ __list_lru_init hlock_class
reacquire_held_locks rust_\w+
"""
# What sleeps or waits for a lock on behalf of others.
_WAITING = r"""
(?:__|io_|preempt_|_)?schedule\w* (?:__)?cond_resched\w* context_switch __switch_to\w* preempt_schedule\w*
(?:__|___)?wait_(?:for_)?\w+ do_wait_for_\w+ (?:u|m|f|ns)?sleep\w* msleep\w* usleep_\w+ do_nanosleep
hrtimer_nanosleep (?:__|_)?(?:raw_)?(?:mutex|rt_mutex|ww_mutex|rwsem|rwbase|rtlock|semaphore|percpu|percpu_\w+)_\w+
(?:__)?down(?:_\w+)? (?:__)?up(?:_\w+)? rwsem_\w+ __rwsem_\w+ call_rwsem_\w+
lock_(?:page|buffer|folio|sock|mount)\w* __lock_(?:page|folio|sock)\w* folio_(?:lock|wait)\w* __folio_lock\w*
bit_wait\w* out_of_line_wait\w* __?flush_(?:work|workqueue)\w* flush_\w*work\w* cancel_\w*work\w*
synchronize_(?:rcu|srcu|sched|net)\w* __synchronize_\w+ rcu_barrier\w* _rcu_barrier\w* __wait_rcu_gp kthread_stop\w*
completion_\w+ io_wait\w* (?:__)?do_wait rwlock_\w+ (?:__)?(?:kmem_cache|k|kv|v|vz?|slab|__vm)_?(?:m|z|c)?alloc\w*
slab_(?:pre_alloc|alloc)\w* ___slab_alloc __slab_alloc\w* (?:__)?alloc_pages\w*
"""
_LOCKING = r"""
(?:rcu_read_(?:lock|unlock)\w*) (?:local_bh_|__local_bh_|local_irq_)\w+ (?:__)?seqcount_\w+ write_seq\w+ read_seq\w+
debug_check_\w+
"""
# What allocates on behalf of others.
_ALLOCATING = r"""
(?:(?:__|___|_)?(?:do_)?(?:kmem_cache|k|kv|v|vz|kz|kvz|devm_k|slab|kmalloc|percpu|pcpu|vm)_?\w*(?:m|z|c|re)?alloc\w*)
k(?:m|z|c|re)alloc\w* (?:__)?kmalloc\w* slab_\w+ (?:__|___)?alloc_\w*page\w* get_free_page\w* __get_free_pages
kmem\w+ kstrdup\w* kmemdup\w* kstrndup kasprintf kvasprintf\w* kmem_cache_\w+ new_slab\w* allocate_slab __alloc_skb
alloc_skb\w* create_object folio_alloc\w* __folio_alloc\w* memdup_user\w* vmemdup_user __vmalloc\w*
radix_tree_node_alloc cma_alloc
"""

INTERRUPT = re.compile(
    r"(?:(?:asm_)?sysvec_\w+|\w*apic_timer_interrupt\w*|asm_common_interrupt|common_interrupt|ret_from_intr"
    r"|reschedule_interrupt"
    r"|call_function_\w+interrupt|smp_\w+_interrupt|el1h_64_irq|el1_irq|el1h_64_fiq|asm_exc_nmi|end_repeat_nmi|nmi"
    r"|__irq_svc)$"
)
"""Entries of interrupts: what stands outside of these in a trace was interrupted and has nothing to do with it."""


def _compiled(*words: str) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(dict.fromkeys(' '.join(words).split()))})$")


_FAULT = _compiled(_REPORTING, _HELPERS, _LIBRARY, _ALLOCATING)
_BY_SEARCH: dict[Search, re.Pattern[str]] = {
    "fault": _FAULT,
    "text": _FAULT,
    "leak": _FAULT,
    "hang": _compiled(_REPORTING, _HELPERS),
    "wait": _compiled(_REPORTING, _HELPERS, _WAITING),
    "lock": _compiled(_REPORTING, _HELPERS, _WAITING, _LOCKING),
}


@lru_cache(maxsize=8192)
def is_machinery(function: str, search: Search) -> bool:
    """Return true if a function of the kernel is not to blame for what is being looked for."""
    name = bare_name(function)
    return _BY_SEARCH[search].match(name) is not None or INTERRUPT.match(name) is not None
