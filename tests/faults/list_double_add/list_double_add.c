// SPDX-License-Identifier: GPL-2.0
/*
 * list_double_add: Adds the same entry to a list twice, in write().
 */

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

struct entry {
	struct list_head link;
};

static LIST_HEAD(entries);
static struct entry entry;

static noinline void enlist(struct entry *this)
{
	/* DELIBERATE BUG: it may be in the list already */
	list_add(&this->link, &entries); /* HERE */
}

static ssize_t list_double_add_write(struct file *file, const char __user *buffer, size_t count,
				     loff_t *pos)
{
	enlist(&entry);
	return count;
}

static const struct file_operations list_double_add_fops = {
	.owner = THIS_MODULE,
	.write = list_double_add_write,
};

static struct miscdevice list_double_add_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "list_double_add",
	.fops = &list_double_add_fops,
};
module_misc_device(list_double_add_device);

MODULE_DESCRIPTION("Faulty on purpose: list_double_add");
MODULE_LICENSE("GPL");
