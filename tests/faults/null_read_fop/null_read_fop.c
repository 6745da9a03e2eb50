// SPDX-License-Identifier: GPL-2.0
/*
 * null_read_fop: Reads through a NULL pointer when /dev/null_read_fop is read.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

struct sheet {
	size_t length;
	char text[64];
};

static struct sheet *sheet;

static ssize_t null_read_fop_read(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	/* DELIBERATE BUG: open() was meant to allocate the sheet, and there is no open() */
	if (*pos >= sheet->length) /* HERE */
		return 0;
	return simple_read_from_buffer(buffer, count, pos, sheet->text, sheet->length);
}

static const struct file_operations null_read_fop_fops = {
	.owner = THIS_MODULE,
	.read = null_read_fop_read,
};

static struct miscdevice null_read_fop_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "null_read_fop",
	.fops = &null_read_fop_fops,
};
module_misc_device(null_read_fop_device);

MODULE_DESCRIPTION("Faulty on purpose: null_read_fop");
MODULE_LICENSE("GPL");
