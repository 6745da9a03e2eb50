// SPDX-License-Identifier: GPL-2.0
/*
 * null_exec_ops: Calls a function pointer that is NULL, in init.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

struct operations {
	int (*start)(void);
	int (*stop)(void);
};

static int stop(void)
{
	return 0;
}

static struct operations operations = { .stop = stop };

static int __init null_exec_ops_init(void)
{
	/* DELIBERATE BUG: .start was forgotten */
	int err = READ_ONCE(operations.start)(); /* HERE */

	if (err)
		pr_err("cannot start\n");
	return err;
}

static void __exit null_exec_ops_exit(void)
{
	operations.stop();
}

module_init(null_exec_ops_init);
module_exit(null_exec_ops_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_exec_ops");
MODULE_LICENSE("GPL");
