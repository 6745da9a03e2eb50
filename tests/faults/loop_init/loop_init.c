// SPDX-License-Identifier: GPL-2.0
/*
 * loop_init: Loops for ever in init.
 */

#include <linux/module.h>

static int ready;

static int __init loop_init_init(void)
{
	/* DELIBERATE BUG: nobody ever sets ready */
	while (!READ_ONCE(ready)) /* HERE */
		cpu_relax(); /* HERE */
	return 0;
}

static void __exit loop_init_exit(void)
{
}

module_init(loop_init_init);
module_exit(loop_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: loop_init");
MODULE_LICENSE("GPL");
