// SPDX-License-Identifier: GPL-2.0
/*
 * warn_init: Says WARN_ON in init, and goes on.
 */

#include <linux/module.h>

static int version = 3;

static int __init warn_init_init(void)
{
	/* DELIBERATE BUG: a warning for what is quite normal */
	WARN_ON(READ_ONCE(version) != 2); /* HERE */
	return 0;
}

static void __exit warn_init_exit(void)
{
}

module_init(warn_init_init);
module_exit(warn_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: warn_init");
MODULE_LICENSE("GPL");
