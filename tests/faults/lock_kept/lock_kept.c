// SPDX-License-Identifier: GPL-2.0
/*
 * lock_kept: Returns from write() with a mutex held when the line is empty;
 * the next write() waits for ever.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

static DEFINE_MUTEX(lock);
static char first;

static ssize_t lock_kept_write(struct file *file, const char __user *buffer, size_t count,
			       loff_t *pos)
{
	mutex_lock(&lock); /* HERE */
	if (get_user(first, buffer)) {
		mutex_unlock(&lock);
		return -EFAULT;
	}
	/* DELIBERATE BUG: this way out forgets to unlock */
	if (first == '\n')
		return -EINVAL;
	mutex_unlock(&lock);
	return count;
}

static const struct file_operations lock_kept_fops = {
	.owner = THIS_MODULE,
	.write = lock_kept_write,
};

static struct miscdevice lock_kept_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lock_kept",
	.fops = &lock_kept_fops,
};
module_misc_device(lock_kept_device);

MODULE_DESCRIPTION("Faulty on purpose: lock_kept");
MODULE_LICENSE("GPL");
