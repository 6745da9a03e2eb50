// SPDX-License-Identifier: GPL-2.0
/*
 * divide_by_zero: Divides by a parameter that is zero, in a helper of its
 * read().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static int samples = 4;
module_param(samples, int, 0444);
MODULE_PARM_DESC(samples, "how many samples to average");

static int sum = 100;

static noinline int average(void)
{
	/* DELIBERATE BUG: the parameter is not checked */
	return READ_ONCE(sum) / samples; /* HERE */
}

static ssize_t divide_by_zero_read(struct file *file, char __user *buffer, size_t count,
				   loff_t *pos)
{
	char text[16];
	int length = scnprintf(text, sizeof(text), "%d\n", average());

	return simple_read_from_buffer(buffer, count, pos, text, length);
}

static const struct file_operations divide_by_zero_fops = {
	.owner = THIS_MODULE,
	.read = divide_by_zero_read,
};

static struct miscdevice divide_by_zero_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "divide_by_zero",
	.fops = &divide_by_zero_fops,
};
module_misc_device(divide_by_zero_device);

MODULE_DESCRIPTION("Faulty on purpose: divide_by_zero");
MODULE_LICENSE("GPL");
