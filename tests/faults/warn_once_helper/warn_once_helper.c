// SPDX-License-Identifier: GPL-2.0
/*
 * warn_once_helper: Says WARN_ONCE in a helper that read() calls again and
 * again.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static int temperature = 120;

static noinline void check_range(int value)
{
	/* DELIBERATE BUG: the sensor does give more than 100 */
	WARN_ONCE(value > 100, "%d degrees\n", value); /* HERE */
}

static ssize_t warn_once_helper_read(struct file *file, char __user *buffer, size_t count,
				     loff_t *pos)
{
	check_range(READ_ONCE(temperature));
	return 0;
}

static const struct file_operations warn_once_helper_fops = {
	.owner = THIS_MODULE,
	.read = warn_once_helper_read,
};

static struct miscdevice warn_once_helper_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "warn_once_helper",
	.fops = &warn_once_helper_fops,
};
module_misc_device(warn_once_helper_device);

MODULE_DESCRIPTION("Faulty on purpose: warn_once_helper");
MODULE_LICENSE("GPL");
