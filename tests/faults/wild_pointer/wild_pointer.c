// SPDX-License-Identifier: GPL-2.0
/*
 * wild_pointer: Follows a pointer that no x86-64 address can be, in a helper
 * of its write().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

struct node {
	struct node *next;
	long value;
};

static struct node node = { .next = (struct node *)0xdead4ead00000000 };

static noinline long next_of(struct node *this)
{
	/* DELIBERATE BUG: a magic number is no address */
	if (this->next->value < 0) /* HERE */
		return 0;
	return 1;
}

static ssize_t wild_pointer_write(struct file *file, const char __user *buffer, size_t count,
				  loff_t *pos)
{
	return next_of(&node) ? count : -EIO;
}

static const struct file_operations wild_pointer_fops = {
	.owner = THIS_MODULE,
	.write = wild_pointer_write,
};

static struct miscdevice wild_pointer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "wild_pointer",
	.fops = &wild_pointer_fops,
};
module_misc_device(wild_pointer_device);

MODULE_DESCRIPTION("Faulty on purpose: wild_pointer");
MODULE_LICENSE("GPL");
