// SPDX-License-Identifier: GPL-2.0
/*
 * undefined_symbol: Calls a function that no one has.
 */

#include <linux/module.h>

int measure_the_moon(void); /* HERE */

static int __init undefined_symbol_init(void)
{
	/* DELIBERATE BUG: there is no such function */
	return measure_the_moon(); /* HERE */
}

static void __exit undefined_symbol_exit(void)
{
}

module_init(undefined_symbol_init);
module_exit(undefined_symbol_exit);

MODULE_DESCRIPTION("Faulty on purpose: undefined_symbol");
MODULE_LICENSE("GPL");
