// SPDX-License-Identifier: GPL-2.0
/*
 * exec_data: Jumps into data, which the kernel has mapped as not executable.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

static u8 *code;

static noinline int run_code(void)
{
	int (*function)(void) = (int (*)(void))code;

	/* DELIBERATE BUG: memory of kmalloc() holds data, not code */
	return function() + 1; /* HERE */
}

static ssize_t exec_data_write(struct file *file, const char __user *buffer, size_t count,
			       loff_t *pos)
{
	int value;

	code = kzalloc(64, GFP_KERNEL);
	if (!code)
		return -ENOMEM;
	code[0] = 0xc3;
	value = run_code();
	kfree(code);
	return value ? count : -EIO;
}

static const struct file_operations exec_data_fops = {
	.owner = THIS_MODULE,
	.write = exec_data_write,
};

static struct miscdevice exec_data_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "exec_data",
	.fops = &exec_data_fops,
};
module_misc_device(exec_data_device);

MODULE_DESCRIPTION("Faulty on purpose: exec_data");
MODULE_LICENSE("GPL");
