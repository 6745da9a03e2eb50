// SPDX-License-Identifier: GPL-2.0
/*
 * double_free: Frees an object twice, the second time in a helper for cleaning
 * up.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *message;
static int frees;

static noinline void clean_up(void)
{
	kfree(message); /* HERE */
	frees++;
}

static ssize_t double_free_write(struct file *file, const char __user *buffer, size_t count,
				 loff_t *pos)
{
	message = kmalloc(96, GFP_KERNEL);
	if (!message)
		return -ENOMEM;
	kfree(message);
	/* DELIBERATE BUG: message still points there */
	clean_up();
	return count;
}

static const struct file_operations double_free_fops = {
	.owner = THIS_MODULE,
	.write = double_free_write,
};

static struct miscdevice double_free_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "double_free",
	.fops = &double_free_fops,
};
module_misc_device(double_free_device);

MODULE_DESCRIPTION("Faulty on purpose: double_free");
MODULE_LICENSE("GPL");
