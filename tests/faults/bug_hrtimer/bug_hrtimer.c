// SPDX-License-Identifier: GPL-2.0
/*
 * bug_hrtimer: Fails a BUG_ON in the callback of an hrtimer, in a hard
 * interrupt.
 */

#include <linux/hrtimer.h>
#include <linux/module.h>

static struct hrtimer timer;
static int beats;

static enum hrtimer_restart beat(struct hrtimer *this)
{
	/* DELIBERATE BUG: the third beat was not expected */
	BUG_ON(++beats > 2); /* HERE */
	hrtimer_forward_now(this, ms_to_ktime(20));
	return HRTIMER_RESTART;
}

static int __init bug_hrtimer_init(void)
{
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer.function = beat;
	hrtimer_start(&timer, ms_to_ktime(20), HRTIMER_MODE_REL);
	return 0;
}

static void __exit bug_hrtimer_exit(void)
{
	hrtimer_cancel(&timer);
}

module_init(bug_hrtimer_init);
module_exit(bug_hrtimer_exit);

MODULE_DESCRIPTION("Faulty on purpose: bug_hrtimer");
MODULE_LICENSE("GPL");
