// SPDX-License-Identifier: GPL-2.0
/*
 * spin_deadlock: Takes a spinlock that it holds, in a helper of write().
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);
static int value;

static noinline void count_up(void)
{
	/* DELIBERATE BUG: the caller holds the lock */
	spin_lock(&lock); /* HERE */
	value++;
	spin_unlock(&lock);
}

static ssize_t spin_deadlock_write(struct file *file, const char __user *buffer, size_t count,
				   loff_t *pos)
{
	spin_lock(&lock);
	count_up();
	spin_unlock(&lock);
	return count;
}

static const struct file_operations spin_deadlock_fops = {
	.owner = THIS_MODULE,
	.write = spin_deadlock_write,
};

static struct miscdevice spin_deadlock_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "spin_deadlock",
	.fops = &spin_deadlock_fops,
};
module_misc_device(spin_deadlock_device);

MODULE_DESCRIPTION("Faulty on purpose: spin_deadlock");
MODULE_LICENSE("GPL");
