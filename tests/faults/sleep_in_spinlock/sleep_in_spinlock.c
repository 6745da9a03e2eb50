// SPDX-License-Identifier: GPL-2.0
/*
 * sleep_in_spinlock: Sleeps in a helper while its work item holds a spinlock.
 */

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

static DEFINE_SPINLOCK(lock);
static int level;

static noinline void settle(void)
{
	/* DELIBERATE BUG: no sleeping under a spinlock */
	msleep(20); /* HERE */
	level++;
}

static void raise_level(struct work_struct *work)
{
	spin_lock(&lock);
	settle();
	spin_unlock(&lock);
}

static DECLARE_WORK(work, raise_level);

static ssize_t sleep_in_spinlock_write(struct file *file, const char __user *buffer, size_t count,
				       loff_t *pos)
{
	schedule_work(&work);
	return count;
}

static const struct file_operations sleep_in_spinlock_fops = {
	.owner = THIS_MODULE,
	.write = sleep_in_spinlock_write,
};

static struct miscdevice sleep_in_spinlock_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sleep_in_spinlock",
	.fops = &sleep_in_spinlock_fops,
};
module_misc_device(sleep_in_spinlock_device);

MODULE_DESCRIPTION("Faulty on purpose: sleep_in_spinlock");
MODULE_LICENSE("GPL");
