// SPDX-License-Identifier: GPL-2.0
/*
 * good_timer: A timer and a work item, both ended as they should be.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

static struct timer_list timer;
static int ticks;

static void count(struct work_struct *work)
{
	ticks++;
}

static DECLARE_WORK(work, count);

static void tick(struct timer_list *unused)
{
	schedule_work(&work);
	mod_timer(&timer, jiffies + HZ / 20);
}

static int __init good_timer_init(void)
{
	timer_setup(&timer, tick, 0);
	mod_timer(&timer, jiffies + HZ / 20);
	return 0;
}

static void __exit good_timer_exit(void)
{
	timer_shutdown_sync(&timer);
	cancel_work_sync(&work);
	pr_info("%d ticks\n", ticks);
}

module_init(good_timer_init);
module_exit(good_timer_exit);

MODULE_DESCRIPTION("For the tests of verdicts: good_timer");
MODULE_LICENSE("GPL");
