// SPDX-License-Identifier: GPL-2.0
/*
 * loop_kthread: Starts a thread that never asks whether it should stop: it
 * loads, and rmmod waits for ever.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>

static struct task_struct *thread;
static unsigned long rounds;

static int busy_thread(void *data)
{
	/* DELIBERATE BUG: kthread_should_stop() is never asked */
	for (;;) { /* HERE */
		WRITE_ONCE(rounds, rounds + 1); /* HERE */
		cond_resched(); /* HERE */
	}
	return 0;
}

static int __init loop_kthread_init(void)
{
	thread = kthread_run(busy_thread, NULL, "busy");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit loop_kthread_exit(void)
{
	kthread_stop(thread); /* HERE */
	pr_info("%lu rounds\n", rounds);
}

module_init(loop_kthread_init);
module_exit(loop_kthread_exit);

MODULE_DESCRIPTION("Faulty on purpose: loop_kthread");
MODULE_LICENSE("GPL");
