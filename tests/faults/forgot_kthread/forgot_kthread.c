// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_kthread: Is unloaded while its thread sleeps; the thread wakes up in
 * freed memory.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>

static struct task_struct *thread;

static int watch(void *data)
{
	while (!kthread_should_stop())
		msleep(50);
	return 0;
}

static int __init forgot_kthread_init(void)
{
	thread = kthread_run(watch, NULL, "watch");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit forgot_kthread_exit(void)
{
	/* DELIBERATE BUG: kthread_stop() is missing */
}

module_init(forgot_kthread_init);
module_exit(forgot_kthread_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_kthread");
MODULE_LICENSE("GPL");
