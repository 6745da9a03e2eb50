// SPDX-License-Identifier: GPL-2.0
/*
 * log_flood: Prints thousands of lines as fast as it can.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched.h>

static ssize_t log_flood_write(struct file *file, const char __user *buffer, size_t count,
			       loff_t *pos)
{
	int i;

	for (i = 0; i < 3000; i++) {
		pr_info("line %d of a flood that is meant to hide something among itself\n", i);
		cond_resched();
	}
	return count;
}

static const struct file_operations log_flood_fops = {
	.owner = THIS_MODULE,
	.write = log_flood_write,
};

static struct miscdevice log_flood_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "log_flood",
	.fops = &log_flood_fops,
};
module_misc_device(log_flood_device);

MODULE_DESCRIPTION("For the tests of verdicts: log_flood");
MODULE_LICENSE("GPL");
