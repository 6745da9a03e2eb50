// SPDX-License-Identifier: GPL-2.0
/*
 * mutex_unlocked_twice: Unlocks a mutex that it does not hold.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(lock);

static ssize_t mutex_unlocked_twice_write(struct file *file, const char __user *buffer,
					  size_t count, loff_t *pos)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	/* DELIBERATE BUG: it is not locked any more */
	mutex_unlock(&lock);
	return count;
}

static const struct file_operations mutex_unlocked_twice_fops = {
	.owner = THIS_MODULE,
	.write = mutex_unlocked_twice_write,
};

static struct miscdevice mutex_unlocked_twice_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mutex_unlocked_twice",
	.fops = &mutex_unlocked_twice_fops,
};
module_misc_device(mutex_unlocked_twice_device);

MODULE_DESCRIPTION("For the tests of verdicts: mutex_unlocked_twice");
MODULE_LICENSE("GPL");
