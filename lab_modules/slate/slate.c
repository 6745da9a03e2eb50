// SPDX-License-Identifier: GPL-2.0
/*
 * slate: /dev/slate is 64 bytes that programs write and read. All of them share
 * it, so whoever touches it holds the mutex meanwhile.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define SLATE_SIZE 64

static char *slate;		/* SLATE_SIZE bytes */
static DEFINE_MUTEX(lock);	/* guards them */

static ssize_t slate_read(struct file *file, char __user *buffer,
			  size_t count, loff_t *pos)
{
	ssize_t done;

	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	done = simple_read_from_buffer(buffer, count, pos, slate, SLATE_SIZE);
	mutex_unlock(&lock);
	return done;
}

/*
 * Takes at most count bytes from the program's buffer and puts them onto the
 * slate from *pos on. Returns how many it took.
 */
static ssize_t slate_write(struct file *file, const char __user *buffer,
			   size_t count, loff_t *pos)
{
	ssize_t done;

	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	/*
	 * BEGIN SOLUTION: take as much as fits, move *pos, and set done to how
	 * many; -ENOSPC if nothing fits any more, -EFAULT for a bad buffer
	 */
	if (*pos >= SLATE_SIZE) {
		done = -ENOSPC;
		goto unlock;
	}
	count = min_t(size_t, count, SLATE_SIZE - *pos);
	if (copy_from_user(slate + *pos, buffer, count)) {
		done = -EFAULT;
		goto unlock;
	}
	*pos += count;
	done = count;
unlock:
	/* SKELETON: done = -EIO; */
	/* END SOLUTION */
	mutex_unlock(&lock);
	return done;
}

static const struct file_operations slate_fops = {
	.owner	= THIS_MODULE,
	.read	= slate_read,
	.write	= slate_write,
	.llseek	= default_llseek,
};

static struct miscdevice slate_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "slate",
	.fops	= &slate_fops,
};

static int __init slate_init(void)
{
	int err;

	slate = kzalloc(SLATE_SIZE, GFP_KERNEL);
	if (!slate)
		return -ENOMEM;
	err = misc_register(&slate_device);
	if (err)
		kfree(slate);
	return err;
}

static void __exit slate_exit(void)
{
	misc_deregister(&slate_device);
	kfree(slate);
}

module_init(slate_init);
module_exit(slate_exit);

MODULE_DESCRIPTION("64 bytes to write and to read");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
