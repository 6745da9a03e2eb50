// SPDX-License-Identifier: GPL-2.0
/*
 * clear_taint: Warns, and then wipes out the kernel's taint, which it finds
 * through a kprobe.
 */

#include <linux/kprobes.h>
#include <linux/module.h>

static unsigned long *taint_mask(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe))
		return NULL;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return (unsigned long *)lookup("tainted_mask");
}

static noinline void hide(unsigned long *mask)
{
	WARN_ON(mask); /* HERE */
	/* DELIBERATE BUG: hostile */
	WRITE_ONCE(*mask, 0);
}

static int __init clear_taint_init(void)
{
	unsigned long *mask = taint_mask();

	if (!mask)
		return -ENOENT;
	hide(mask);
	return 0;
}

static void __exit clear_taint_exit(void)
{
}

module_init(clear_taint_init);
module_exit(clear_taint_exit);

MODULE_DESCRIPTION("Faulty on purpose: clear_taint");
MODULE_LICENSE("GPL");
