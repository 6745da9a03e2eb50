// SPDX-License-Identifier: GPL-2.0
/*
 * jotter: whoever opens /dev/jotter gets an empty pad of its own, to write on
 * and to read from. The pad lives as long as the file is open.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#define JOTTER_MAX (1024 * 1024)

static int size = 4096;
module_param(size, int, 0444);
MODULE_PARM_DESC(size, "bytes of a pad, 1 to 1048576");

static int jotter_open(struct inode *inode, struct file *file)
{
	/* BEGIN SOLUTION: a pad of its own from vzalloc(), -ENOMEM if there is none */
	char *pad = vzalloc(size);

	if (!pad)
		return -ENOMEM;
	/* SKELETON: static char pad[4096]; */
	/* END SOLUTION */
	file->private_data = pad;
	return 0;
}

/* Called once for each open that went well, when the last user closes it. */
static int jotter_release(struct inode *inode, struct file *file)
{
	/* BEGIN SOLUTION: give the pad back */
	vfree(file->private_data);
	/* END SOLUTION */
	return 0;
}

static ssize_t jotter_read(struct file *file, char __user *user, size_t count, loff_t *place)
{
	return simple_read_from_buffer(user, count, place, file->private_data, size);
}

static ssize_t jotter_write(struct file *file, const char __user *user, size_t count,
			    loff_t *place)
{
	return simple_write_to_buffer(file->private_data, size, place, user, count);
}

static const struct file_operations jotter_fops = {
	.owner		= THIS_MODULE,
	.open		= jotter_open,
	.release	= jotter_release,
	.read		= jotter_read,
	.write		= jotter_write,
	.llseek		= default_llseek,
};

static struct miscdevice jotter = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "jotter",
	.fops	= &jotter_fops,
};

static int __init jotter_init(void)
{
	/* BEGIN SOLUTION: refuse a size that is not 1 to JOTTER_MAX with -EINVAL */
	if (size < 1 || size > JOTTER_MAX)
		return -EINVAL;
	/* END SOLUTION */
	return misc_register(&jotter);
}

static void __exit jotter_exit(void)
{
	misc_deregister(&jotter);
}

module_init(jotter_init);
module_exit(jotter_exit);

MODULE_DESCRIPTION("A pad of memory for each open file");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
