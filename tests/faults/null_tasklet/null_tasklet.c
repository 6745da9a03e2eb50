// SPDX-License-Identifier: GPL-2.0
/*
 * null_tasklet: Counts through a NULL pointer, in an inline function that a
 * tasklet calls.
 */

#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

struct queue {
	unsigned long *packets;
};

static struct queue queue;

static inline void count_packet(struct queue *this)
{
	/* DELIBERATE BUG: the counter was never allocated */
	*this->packets += 1; /* HERE */
}

static void drain(struct tasklet_struct *tasklet)
{
	count_packet(&queue);
}

static DECLARE_TASKLET(tasklet, drain);

static ssize_t null_tasklet_write(struct file *file, const char __user *buffer, size_t count,
				  loff_t *pos)
{
	tasklet_schedule(&tasklet);
	return count;
}

static const struct file_operations null_tasklet_fops = {
	.owner = THIS_MODULE,
	.write = null_tasklet_write,
};

static struct miscdevice null_tasklet_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "null_tasklet",
	.fops = &null_tasklet_fops,
};
module_misc_device(null_tasklet_device);

MODULE_DESCRIPTION("Faulty on purpose: null_tasklet");
MODULE_LICENSE("GPL");
