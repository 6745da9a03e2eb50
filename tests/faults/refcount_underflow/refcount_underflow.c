// SPDX-License-Identifier: GPL-2.0
/*
 * refcount_underflow: Gives back a reference that it does not have, through a
 * header's inline function.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/refcount.h>

struct session {
	refcount_t users;
};

static struct session session = { .users = REFCOUNT_INIT(1) };

static noinline void session_put(struct session *this)
{
	if (refcount_dec_and_test(&this->users)) /* HERE */
		pr_info("the last user is gone\n");
	else
		pr_info("one user less\n");
}

static ssize_t refcount_underflow_write(struct file *file, const char __user *buffer, size_t count,
					loff_t *pos)
{
	session_put(&session);
	/* DELIBERATE BUG: one put too many */
	session_put(&session);
	return count;
}

static const struct file_operations refcount_underflow_fops = {
	.owner = THIS_MODULE,
	.write = refcount_underflow_write,
};

static struct miscdevice refcount_underflow_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "refcount_underflow",
	.fops = &refcount_underflow_fops,
};
module_misc_device(refcount_underflow_device);

MODULE_DESCRIPTION("Faulty on purpose: refcount_underflow");
MODULE_LICENSE("GPL");
