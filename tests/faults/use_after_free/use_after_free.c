// SPDX-License-Identifier: GPL-2.0
/*
 * use_after_free: Calls a function pointer of an object that it has wiped and
 * freed, through a helper.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

struct shape {
	int side;
	int (*area)(struct shape *this);
	char name[240];
};

static int square(struct shape *this)
{
	return this->side * this->side;
}

static noinline int shape_area(struct shape *this)
{
	return this->area(this) + 1; /* HERE */
}

static noinline void shape_free(struct shape *this)
{
	memset(this, 0x6b, sizeof(*this));
	barrier_data(this);
	kfree(this);
}

static ssize_t use_after_free_write(struct file *file, const char __user *buffer, size_t count,
				    loff_t *pos)
{
	struct shape *shape = kzalloc(sizeof(*shape), GFP_KERNEL);

	if (!shape)
		return -ENOMEM;
	shape->side = 3;
	shape->area = square;
	shape_free(shape);
	/* DELIBERATE BUG: the shape is gone */
	return shape_area(shape) ? count : -EIO;
}

static const struct file_operations use_after_free_fops = {
	.owner = THIS_MODULE,
	.write = use_after_free_write,
};

static struct miscdevice use_after_free_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "use_after_free",
	.fops = &use_after_free_fops,
};
module_misc_device(use_after_free_device);

MODULE_DESCRIPTION("Faulty on purpose: use_after_free");
MODULE_LICENSE("GPL");
