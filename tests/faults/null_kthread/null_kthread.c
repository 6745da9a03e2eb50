// SPDX-License-Identifier: GPL-2.0
/*
 * null_kthread: Follows a NULL pointer in a thread of the kernel that it
 * started.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>

struct sensor {
	int value;
	struct sensor *neighbour;
};

static struct sensor sensor;
static struct task_struct *thread;

static noinline void measure(struct sensor *this)
{
	/* DELIBERATE BUG: there is but one sensor */
	this->value = this->neighbour->value; /* HERE */
}

static int sensor_thread(void *data)
{
	while (!kthread_should_stop()) {
		msleep(50);
		measure(data);
	}
	return 0;
}

static int __init null_kthread_init(void)
{
	thread = kthread_run(sensor_thread, &sensor, "sensor");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit null_kthread_exit(void)
{
	kthread_stop(thread);
}

module_init(null_kthread_init);
module_exit(null_kthread_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_kthread");
MODULE_LICENSE("GPL");
