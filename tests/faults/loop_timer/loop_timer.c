// SPDX-License-Identifier: GPL-2.0
/*
 * loop_timer: Loops for ever in a timer's callback: one processor is gone.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timer.h>

static struct timer_list timer;
static int answered;

static void poll_device(struct timer_list *unused)
{
	/* DELIBERATE BUG: a timer must not wait */
	while (!READ_ONCE(answered)) /* HERE */
		cpu_relax(); /* HERE */
}

static int __init loop_timer_init(void)
{
	timer_setup(&timer, poll_device, 0);
	mod_timer(&timer, jiffies + HZ / 20);
	return 0;
}

static void __exit loop_timer_exit(void)
{
	timer_delete_sync(&timer);
	pr_info("the timer is gone\n");
}

module_init(loop_timer_init);
module_exit(loop_timer_exit);

MODULE_DESCRIPTION("Faulty on purpose: loop_timer");
MODULE_LICENSE("GPL");
