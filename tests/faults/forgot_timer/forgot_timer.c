// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_timer: Is unloaded while its timer is running; the timer then fires
 * into freed memory.
 */

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timer.h>

static struct timer_list timer;

static void tick(struct timer_list *unused)
{
	mod_timer(&timer, jiffies + 1);
}

static int __init forgot_timer_init(void)
{
	timer_setup(&timer, tick, 0);
	mod_timer(&timer, jiffies + 1);
	return 0;
}

static void __exit forgot_timer_exit(void)
{
	/* DELIBERATE BUG: timer_delete_sync() is missing */
}

module_init(forgot_timer_init);
module_exit(forgot_timer_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_timer");
MODULE_LICENSE("GPL");
