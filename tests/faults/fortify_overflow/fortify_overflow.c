// SPDX-License-Identifier: GPL-2.0
/*
 * fortify_overflow: Copies more than the destination holds with memcpy, in a
 * helper.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

static int length = 8;
module_param(length, int, 0444);
MODULE_PARM_DESC(length, "bytes to copy");

static char source[64] = "a text that is much longer than eight bytes";

struct label {
	char text[8];
};

static struct label label;

static noinline void label_copy(void)
{
	/* DELIBERATE BUG: the length is not checked against the label */
	memcpy(label.text, source, READ_ONCE(length)); /* HERE */
}

static ssize_t fortify_overflow_write(struct file *file, const char __user *buffer, size_t count,
				      loff_t *pos)
{
	label_copy();
	return count;
}

static const struct file_operations fortify_overflow_fops = {
	.owner = THIS_MODULE,
	.write = fortify_overflow_write,
};

static struct miscdevice fortify_overflow_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "fortify_overflow",
	.fops = &fortify_overflow_fops,
};
module_misc_device(fortify_overflow_device);

MODULE_DESCRIPTION("Faulty on purpose: fortify_overflow");
MODULE_LICENSE("GPL");
