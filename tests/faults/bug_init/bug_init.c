// SPDX-License-Identifier: GPL-2.0
/*
 * bug_init: Says BUG() in init.
 */

#include <linux/module.h>

static int state = 2;

static int __init bug_init_init(void)
{
	switch (READ_ONCE(state)) {
	case 0:
	case 1:
		return 0;
	default:
		/* DELIBERATE BUG: what "cannot happen" */
		BUG(); /* HERE */
	}
	return 0;
}

static void __exit bug_init_exit(void)
{
}

module_init(bug_init_init);
module_exit(bug_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: bug_init");
MODULE_LICENSE("GPL");
