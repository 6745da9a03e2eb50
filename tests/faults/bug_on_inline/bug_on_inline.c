// SPDX-License-Identifier: GPL-2.0
/* bug_on_inline: fails a BUG_ON in an inline function of its own header, called by write(). */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include "ring.h"

static struct ring ring;

static ssize_t bug_on_inline_write(struct file *file, const char __user *buffer, size_t count,
				   loff_t *pos)
{
	size_t i;
	char c;

	for (i = 0; i < count; i++) {
		if (get_user(c, buffer + i))
			return -EFAULT;
		ring_put(&ring, c);
	}
	return count;
}

static const struct file_operations bug_on_inline_fops = {
	.owner = THIS_MODULE,
	.write = bug_on_inline_write,
};

static struct miscdevice bug_on_inline_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bug_on_inline",
	.fops = &bug_on_inline_fops,
};
module_misc_device(bug_on_inline_device);

MODULE_DESCRIPTION("Faulty on purpose: bug_on_inline");
MODULE_LICENSE("GPL");
