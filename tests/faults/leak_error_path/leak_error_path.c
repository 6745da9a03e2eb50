// SPDX-License-Identifier: GPL-2.0
/*
 * leak_error_path: Leaks 64 bytes in write() when the line is too long.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static ssize_t leak_error_path_write(struct file *file, const char __user *buffer, size_t count,
				     loff_t *pos)
{
	char *copy = kmalloc(64, GFP_KERNEL); /* HERE */

	if (!copy)
		return -ENOMEM;
	/* DELIBERATE BUG: this way out forgets the copy */
	if (count > 10)
		return -EINVAL;
	if (copy_from_user(copy, buffer, count)) {
		kfree(copy);
		return -EFAULT;
	}
	kfree(copy);
	return count;
}

static const struct file_operations leak_error_path_fops = {
	.owner = THIS_MODULE,
	.write = leak_error_path_write,
};

static struct miscdevice leak_error_path_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "leak_error_path",
	.fops = &leak_error_path_fops,
};
module_misc_device(leak_error_path_device);

MODULE_DESCRIPTION("Faulty on purpose: leak_error_path");
MODULE_LICENSE("GPL");
