// SPDX-License-Identifier: GPL-2.0
/*
 * big_frame: Keeps 17 kB on a stack of 16 kB, in a helper of write().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>

static noinline int checksum(int start)
{
	/* DELIBERATE BUG: the kernel's stack is 16 kB in all */
	char table[17000];
	int i, sum = 0;

	memset(table, start, sizeof(table)); /* HERE */
	barrier_data(table);
	for (i = 0; i < sizeof(table); i++)
		sum += table[i] ^ start;
	return sum;
}

static ssize_t big_frame_write(struct file *file, const char __user *buffer, size_t count,
			       loff_t *pos)
{
	return checksum(count) == 1 ? -EIO : count;
}

static const struct file_operations big_frame_fops = {
	.owner = THIS_MODULE,
	.write = big_frame_write,
};

static struct miscdevice big_frame_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "big_frame",
	.fops = &big_frame_fops,
};
module_misc_device(big_frame_device);

MODULE_DESCRIPTION("Faulty on purpose: big_frame");
MODULE_LICENSE("GPL");
