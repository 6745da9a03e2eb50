// SPDX-License-Identifier: GPL-2.0
/*
 * syntax_error: Lacks a semicolon.
 */

#include <linux/module.h>

static int __init syntax_error_init(void)
{
	int answer = 42;

	/* DELIBERATE BUG: a semicolon is missing */
	answer++ /* HERE */
	return answer == 42;
}

static void __exit syntax_error_exit(void)
{
}

module_init(syntax_error_init);
module_exit(syntax_error_exit);

MODULE_DESCRIPTION("Faulty on purpose: syntax_error");
MODULE_LICENSE("GPL");
