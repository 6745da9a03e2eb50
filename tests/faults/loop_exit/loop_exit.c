// SPDX-License-Identifier: GPL-2.0
/*
 * loop_exit: Sleeps and looks, again and again without end, in exit.
 */

#include <linux/delay.h>
#include <linux/module.h>

static int busy = 1;

static int __init loop_exit_init(void)
{
	return 0;
}

static void __exit loop_exit_exit(void)
{
	/* DELIBERATE BUG: nobody ever clears busy */
	while (READ_ONCE(busy)) /* HERE */
		msleep(20); /* HERE */
}

module_init(loop_exit_init);
module_exit(loop_exit_exit);

MODULE_DESCRIPTION("Faulty on purpose: loop_exit");
MODULE_LICENSE("GPL");
