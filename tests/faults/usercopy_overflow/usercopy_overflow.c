// SPDX-License-Identifier: GPL-2.0
/*
 * usercopy_overflow: Copies more to user space than the object holds, in
 * read().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static char *secret;

static ssize_t usercopy_overflow_read(struct file *file, char __user *buffer, size_t count,
				      loff_t *pos)
{
	unsigned long left;

	secret = kzalloc(64, GFP_KERNEL);
	if (!secret)
		return -ENOMEM;
	/* DELIBERATE BUG: count is what the reader asks for, not what is there */
	left = copy_to_user(buffer, READ_ONCE(secret), count); /* HERE */
	kfree(secret);
	return left ? -EFAULT : count;
}

static const struct file_operations usercopy_overflow_fops = {
	.owner = THIS_MODULE,
	.read = usercopy_overflow_read,
};

static struct miscdevice usercopy_overflow_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "usercopy_overflow",
	.fops = &usercopy_overflow_fops,
};
module_misc_device(usercopy_overflow_device);

MODULE_DESCRIPTION("Faulty on purpose: usercopy_overflow");
MODULE_LICENSE("GPL");
