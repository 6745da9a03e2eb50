// SPDX-License-Identifier: GPL-2.0
/*
 * eat_memory: Allocates until there is no memory left, and keeps it.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *last;

static ssize_t eat_memory_write(struct file *file, const char __user *buffer, size_t count,
				loff_t *pos)
{
	void **next;

	/* DELIBERATE BUG: no limit */
	while ((next = kmalloc(4096, GFP_KERNEL))) {
		*next = last;
		last = next;
	}
	return -ENOMEM;
}

static const struct file_operations eat_memory_fops = {
	.owner = THIS_MODULE,
	.write = eat_memory_write,
};

static struct miscdevice eat_memory_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "eat_memory",
	.fops = &eat_memory_fops,
};
module_misc_device(eat_memory_device);

MODULE_DESCRIPTION("Faulty on purpose: eat_memory");
MODULE_LICENSE("GPL");
