// SPDX-License-Identifier: GPL-2.0
/*
 * stack_smash: Writes behind an array on the stack, in a helper; the stack
 * protector ends the kernel.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static int length = 8;
module_param(length, int, 0444);
MODULE_PARM_DESC(length, "bytes to write into an array of 16");

static noinline int parse(void)
{
	char text[16];
	char *at = text;
	int i;

	OPTIMIZER_HIDE_VAR(at);
	/* DELIBERATE BUG: the length is not checked */
	for (i = 0; i < length; i++)
		at[i] = 'x';
	return text[0] == 'x';
} /* HERE */

static ssize_t stack_smash_write(struct file *file, const char __user *buffer, size_t count,
				 loff_t *pos)
{
	return parse() ? count : -EIO;
}

static const struct file_operations stack_smash_fops = {
	.owner = THIS_MODULE,
	.write = stack_smash_write,
};

static struct miscdevice stack_smash_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "stack_smash",
	.fops = &stack_smash_fops,
};
module_misc_device(stack_smash_device);

MODULE_DESCRIPTION("Faulty on purpose: stack_smash");
MODULE_LICENSE("GPL");
