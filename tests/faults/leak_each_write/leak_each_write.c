// SPDX-License-Identifier: GPL-2.0
/*
 * leak_each_write: Leaks an object of 48 bytes with each write(), in a helper:
 * three in all.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

struct record {
	struct record *next;
	size_t length;
	char text[32];
};

static noinline struct record *record_new(size_t length)
{
	struct record *record = kzalloc(sizeof(*record), GFP_KERNEL); /* HERE */

	if (record)
		record->length = length;
	return record;
}

static ssize_t leak_each_write_write(struct file *file, const char __user *buffer, size_t count,
				     loff_t *pos)
{
	struct record *record = record_new(count);

	/* DELIBERATE BUG: nobody keeps the record, and nobody frees it */
	return record ? record->length : -ENOMEM;
}

static const struct file_operations leak_each_write_fops = {
	.owner = THIS_MODULE,
	.write = leak_each_write_write,
};

static struct miscdevice leak_each_write_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "leak_each_write",
	.fops = &leak_each_write_fops,
};
module_misc_device(leak_each_write_device);

MODULE_DESCRIPTION("Faulty on purpose: leak_each_write");
MODULE_LICENSE("GPL");
