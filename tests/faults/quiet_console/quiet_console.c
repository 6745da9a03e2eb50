// SPDX-License-Identifier: GPL-2.0
/*
 * quiet_console: Silences the console, warns, and lets the console speak
 * again.
 */

#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/printk.h>

static void *symbol(const char *name)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe))
		return NULL;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return (void *)lookup(name);
}

static bool *ignore_loglevel;
static int level;

static int __init quiet_console_init(void)
{
	ignore_loglevel = symbol("ignore_loglevel");
	if (!ignore_loglevel)
		return -ENOENT;
	/* DELIBERATE BUG: hostile */
	WRITE_ONCE(*ignore_loglevel, false);
	level = console_loglevel;
	console_loglevel = 0;
	WARN_ON(level);
	return 0;
}

static void __exit quiet_console_exit(void)
{
	console_loglevel = level;
	WRITE_ONCE(*ignore_loglevel, true);
}

module_init(quiet_console_init);
module_exit(quiet_console_exit);

MODULE_DESCRIPTION("Faulty on purpose: quiet_console");
MODULE_LICENSE("GPL");
