// SPDX-License-Identifier: GPL-2.0
/*
 * positive_init: Returns 1 from init, which is neither 0 nor an error.
 */

#include <linux/module.h>

static int __init positive_init_init(void)
{
	/* DELIBERATE BUG: 0 means success, -E... means failure, and 1 means nothing */
	return 1;
}

static void __exit positive_init_exit(void)
{
}

module_init(positive_init_init);
module_exit(positive_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: positive_init");
MODULE_LICENSE("GPL");
