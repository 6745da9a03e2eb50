// SPDX-License-Identifier: GPL-2.0
/*
 * good_kthread: A thread that ends when it is asked to.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>

static struct task_struct *thread;

static int watch(void *data)
{
	while (!kthread_should_stop())
		msleep_interruptible(50);
	return 0;
}

static int __init good_kthread_init(void)
{
	thread = kthread_run(watch, NULL, "watch");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit good_kthread_exit(void)
{
	kthread_stop(thread);
}

module_init(good_kthread_init);
module_exit(good_kthread_exit);

MODULE_DESCRIPTION("For the tests of verdicts: good_kthread");
MODULE_LICENSE("GPL");
