// SPDX-License-Identifier: GPL-2.0
/*
 * write_rodata: Casts const away and writes to read-only data, in a helper.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static const char greeting[] = "hello, world";

static noinline void rename_it(const char *text)
{
	char *writable = (char *)text;

	/* DELIBERATE BUG: the kernel has mapped constants read-only */
	writable[0] = 'j'; /* HERE */
	pr_info("%s\n", text);
}

static ssize_t write_rodata_write(struct file *file, const char __user *buffer, size_t count,
				  loff_t *pos)
{
	rename_it(greeting);
	return count;
}

static const struct file_operations write_rodata_fops = {
	.owner = THIS_MODULE,
	.write = write_rodata_write,
};

static struct miscdevice write_rodata_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "write_rodata",
	.fops = &write_rodata_fops,
};
module_misc_device(write_rodata_device);

MODULE_DESCRIPTION("Faulty on purpose: write_rodata");
MODULE_LICENSE("GPL");
