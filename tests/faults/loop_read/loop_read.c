// SPDX-License-Identifier: GPL-2.0
/*
 * loop_read: Loops for ever in an inline function that read() calls, waiting
 * for a bit that no device sets.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static unsigned int status;

static inline void wait_for_bit(unsigned int bit)
{
	/* DELIBERATE BUG: no limit to the wait */
	while (!(READ_ONCE(status) & bit)) /* HERE */
		; /* HERE */
}

static ssize_t loop_read_read(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	wait_for_bit(1);
	return 0;
}

static const struct file_operations loop_read_fops = {
	.owner = THIS_MODULE,
	.read = loop_read_read,
};

static struct miscdevice loop_read_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "loop_read",
	.fops = &loop_read_fops,
};
module_misc_device(loop_read_device);

MODULE_DESCRIPTION("Faulty on purpose: loop_read");
MODULE_LICENSE("GPL");
