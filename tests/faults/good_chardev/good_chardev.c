// SPDX-License-Identifier: GPL-2.0
/*
 * good_chardev: A character device without a fault: what is written can be
 * read again.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define SIZE 128

static DEFINE_MUTEX(lock);
static char *sheet;
static size_t used;

static ssize_t good_chardev_read(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	ssize_t done;

	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	done = simple_read_from_buffer(buffer, count, pos, sheet, used);
	mutex_unlock(&lock);
	return done;
}

static ssize_t good_chardev_write(struct file *file, const char __user *buffer, size_t count,
				  loff_t *pos)
{
	ssize_t done;

	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	done = simple_write_to_buffer(sheet, SIZE, pos, buffer, count);
	if (done > 0)
		used = *pos;
	mutex_unlock(&lock);
	return done;
}

static const struct file_operations good_chardev_fops = {
	.owner = THIS_MODULE,
	.read = good_chardev_read,
	.write = good_chardev_write,
	.llseek = default_llseek,
};

static struct miscdevice good_chardev_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "good_chardev",
	.fops = &good_chardev_fops,
};

static int __init good_chardev_init(void)
{
	int err;

	sheet = kzalloc(SIZE, GFP_KERNEL);
	if (!sheet)
		return -ENOMEM;
	err = misc_register(&good_chardev_device);
	if (err)
		kfree(sheet);
	return err;
}

static void __exit good_chardev_exit(void)
{
	misc_deregister(&good_chardev_device);
	kfree(sheet);
}

module_init(good_chardev_init);
module_exit(good_chardev_exit);

MODULE_DESCRIPTION("For the tests of verdicts: good_chardev");
MODULE_LICENSE("GPL");
