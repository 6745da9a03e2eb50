// SPDX-License-Identifier: GPL-2.0
/*
 * leak_pages: Leaks two pages of the page allocator, taken in open().
 */

#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static int leak_pages_open(struct inode *inode, struct file *file)
{
	unsigned long pages = __get_free_pages(GFP_KERNEL, 1); /* HERE */

	if (!pages)
		return -ENOMEM;
	file->private_data = (void *)pages;
	return 0;
}

static int leak_pages_release(struct inode *inode, struct file *file)
{
	/* DELIBERATE BUG: free_pages() is missing */
	return 0;
}

static const struct file_operations leak_pages_fops = {
	.owner = THIS_MODULE,
	.open = leak_pages_open,
	.release = leak_pages_release,
};

static struct miscdevice leak_pages_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "leak_pages",
	.fops = &leak_pages_fops,
};
module_misc_device(leak_pages_device);

MODULE_DESCRIPTION("Faulty on purpose: leak_pages");
MODULE_LICENSE("GPL");
