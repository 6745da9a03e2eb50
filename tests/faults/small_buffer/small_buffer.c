// SPDX-License-Identifier: GPL-2.0
/*
 * small_buffer: Copies a write() of any length into an array of 16 bytes.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

static ssize_t small_buffer_write(struct file *file, const char __user *buffer, size_t count,
				  loff_t *pos)
{
	char text[16];

	/* DELIBERATE BUG: count is not checked */
	if (copy_from_user(text, buffer, count)) /* HERE */
		return -EFAULT;
	pr_info("%.16s\n", text);
	return count;
}

static const struct file_operations small_buffer_fops = {
	.owner = THIS_MODULE,
	.write = small_buffer_write,
};

static struct miscdevice small_buffer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "small_buffer",
	.fops = &small_buffer_fops,
};
module_misc_device(small_buffer_device);

MODULE_DESCRIPTION("Faulty on purpose: small_buffer");
MODULE_LICENSE("GPL");
