// SPDX-License-Identifier: GPL-2.0
/*
 * wiped_log: Warns, and the kernel's log is wiped in the guest afterwards.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

static int version = 3;

static noinline void start(void)
{
	/* DELIBERATE BUG: a warning that is to be hidden */
	WARN_ON(READ_ONCE(version) != 2); /* HERE */
	pr_info("started\n");
}

static int __init wiped_log_init(void)
{
	start();
	return 0;
}

static void __exit wiped_log_exit(void)
{
}

module_init(wiped_log_init);
module_exit(wiped_log_exit);

MODULE_DESCRIPTION("Faulty on purpose: wiped_log");
MODULE_LICENSE("GPL");
