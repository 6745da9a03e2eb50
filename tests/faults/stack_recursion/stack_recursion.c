// SPDX-License-Identifier: GPL-2.0
/*
 * stack_recursion: Recurses without end in a helper of write().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

struct node {
	struct node *child;
};

static struct node node = { .child = &node };

static noinline long depth_of(struct node *this) /* HERE */
{
	volatile char scratch[64]; /* HERE */

	scratch[0] = 0; /* HERE */
	if (!this->child) /* HERE */
		return scratch[0];
	/* DELIBERATE BUG: the node is its own child */
	return 1 + depth_of(this->child) + scratch[0]; /* HERE */
}

static ssize_t stack_recursion_write(struct file *file, const char __user *buffer, size_t count,
				     loff_t *pos)
{
	return depth_of(&node) ? count : -EIO;
}

static const struct file_operations stack_recursion_fops = {
	.owner = THIS_MODULE,
	.write = stack_recursion_write,
};

static struct miscdevice stack_recursion_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "stack_recursion",
	.fops = &stack_recursion_fops,
};
module_misc_device(stack_recursion_device);

MODULE_DESCRIPTION("Faulty on purpose: stack_recursion");
MODULE_LICENSE("GPL");
