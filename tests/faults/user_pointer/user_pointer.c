// SPDX-License-Identifier: GPL-2.0
/*
 * user_pointer: Reads the memory of the program that writes without
 * copy_from_user(), in a helper.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static noinline size_t line_length(const char *text, size_t count)
{
	size_t n = 0;

	/* DELIBERATE BUG: a pointer of user space, followed as if it were the kernel's */
	while (n < count && text[n] != '\n') /* HERE */
		n++;
	return n;
}

static ssize_t user_pointer_write(struct file *file, const char __user *buffer, size_t count,
				  loff_t *pos)
{
	pr_info("a line of %zu characters\n", line_length((__force const char *)buffer, count));
	return count;
}

static const struct file_operations user_pointer_fops = {
	.owner = THIS_MODULE,
	.write = user_pointer_write,
};

static struct miscdevice user_pointer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "user_pointer",
	.fops = &user_pointer_fops,
};
module_misc_device(user_pointer_device);

MODULE_DESCRIPTION("Faulty on purpose: user_pointer");
MODULE_LICENSE("GPL");
