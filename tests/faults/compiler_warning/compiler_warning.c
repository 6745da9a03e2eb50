// SPDX-License-Identifier: GPL-2.0
/*
 * compiler_warning: Compiles with a warning, and works.
 */

#include <linux/module.h>

static int __init compiler_warning_init(void)
{
	/* DELIBERATE BUG: the compiler warns of a variable that nobody uses */
	int unused;

	return 0;
}

static void __exit compiler_warning_exit(void)
{
}

module_init(compiler_warning_init);
module_exit(compiler_warning_exit);

MODULE_DESCRIPTION("For the tests of verdicts: compiler_warning");
MODULE_LICENSE("GPL");
