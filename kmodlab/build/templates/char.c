// SPDX-License-Identifier: GPL-2.0
/*
 * $name: a character device. What is written to /dev/$name can be read there.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#define SIZE 4096

static DEFINE_MUTEX(lock);	/* guards text and length: programs run side by side */
static char text[SIZE];
static size_t length;

static ssize_t read_text(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	ssize_t done;

	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	done = simple_read_from_buffer(buffer, count, pos, text, length);
	mutex_unlock(&lock);
	return done;
}

static ssize_t write_text(struct file *file, const char __user *buffer, size_t count, loff_t *pos)
{
	ssize_t done;

	if (mutex_lock_interruptible(&lock))
		return -ERESTARTSYS;
	done = simple_write_to_buffer(text, SIZE, pos, buffer, count);
	if (done > 0)
		length = max_t(size_t, length, *pos);
	mutex_unlock(&lock);
	return done || !count ? done : -ENOSPC;
}

static const struct file_operations ${name}_fops = {
	.owner	= THIS_MODULE,	/* an open file holds the module */
	.read	= read_text,
	.write	= write_text,
	.llseek	= default_llseek,
};

static struct miscdevice ${name}_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "$name",
	.fops	= &${name}_fops,
};

/* Registers the device when the module is loaded, and takes it away again. */
module_misc_device(${name}_device);

MODULE_DESCRIPTION("A character device that remembers what is written to it");
MODULE_LICENSE("GPL");
