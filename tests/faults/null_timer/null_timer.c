// SPDX-License-Identifier: GPL-2.0
/*
 * null_timer: Writes through a NULL pointer in a timer's callback.
 */

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timer.h>

static struct timer_list timer;
static unsigned long *ticks;

static void tick(struct timer_list *unused)
{
	/* DELIBERATE BUG: ticks points nowhere */
	(*ticks)++; /* HERE */
	mod_timer(&timer, jiffies + HZ / 10);
}

static int __init null_timer_init(void)
{
	timer_setup(&timer, tick, 0);
	mod_timer(&timer, jiffies + HZ / 10);
	return 0;
}

static void __exit null_timer_exit(void)
{
	timer_delete_sync(&timer);
}

module_init(null_timer_init);
module_exit(null_timer_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_timer");
MODULE_LICENSE("GPL");
