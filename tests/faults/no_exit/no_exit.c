// SPDX-License-Identifier: GPL-2.0
/*
 * no_exit: Has no exit function: once loaded, it stays.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

static int __init no_exit_init(void)
{
	pr_info("here to stay\n");
	return 0;
}

module_init(no_exit_init);

MODULE_DESCRIPTION("For the tests of verdicts: no_exit");
MODULE_LICENSE("GPL");
