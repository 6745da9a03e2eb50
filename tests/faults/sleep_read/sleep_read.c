// SPDX-License-Identifier: GPL-2.0
/*
 * sleep_read: Sleeps in read() for data that never comes, deaf to signals, in
 * a helper.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(queue);
static int available;

static noinline void wait_for_data(void)
{
	/* DELIBERATE BUG: nobody wakes the queue, and no signal ends the wait */
	wait_event(queue, READ_ONCE(available)); /* HERE */
	pr_info("%d bytes\n", available);
}

static ssize_t sleep_read_read(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	wait_for_data();
	return 0;
}

static const struct file_operations sleep_read_fops = {
	.owner = THIS_MODULE,
	.read = sleep_read_read,
};

static struct miscdevice sleep_read_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sleep_read",
	.fops = &sleep_read_fops,
};
module_misc_device(sleep_read_device);

MODULE_DESCRIPTION("Faulty on purpose: sleep_read");
MODULE_LICENSE("GPL");
