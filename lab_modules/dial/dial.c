// SPDX-License-Identifier: GPL-2.0
/*
 * dial: /dev/dial has a position from 0 to 100, which programs ask for and set
 * by ioctl().
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/ioctl.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

/*
 * A command number holds the direction, a letter, a running number, and the
 * size of what the argument points to.
 */
#define DIAL_GET	_IOR('D', 1, int)	/* give the position */
#define DIAL_SET	_IOW('D', 2, int)	/* take a new one, 0 to 100 */
#define DIAL_RESET	_IO('D', 3)		/* back to 0; no argument */

#define DIAL_MAX 100

static atomic_t position = ATOMIC_INIT(0);	/* atomic_read(), atomic_set() */

static long dial_ioctl(struct file *file, unsigned int command,
		       unsigned long argument)
{
	int __user *user = (int __user *)argument;	/* of the program */

	switch (command) {
	/*
	 * BEGIN SOLUTION: the three commands; -EINVAL for a position that
	 * cannot be, -EFAULT for a pointer that leads nowhere
	 */
	case DIAL_GET:
		return put_user(atomic_read(&position), user);
	case DIAL_SET: {
		int wanted;

		if (get_user(wanted, user))
			return -EFAULT;
		if (wanted < 0 || wanted > DIAL_MAX)
			return -EINVAL;
		atomic_set(&position, wanted);
		return 0;
	}
	case DIAL_RESET:
		atomic_set(&position, 0);
		return 0;
	default:
		return -ENOTTY;
	/* SKELETON: default: */
	/* SKELETON:	return user ? -EIO : atomic_read(&position); */
	/* END SOLUTION */
	}
}

static const struct file_operations dial_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= dial_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice dial = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "dial",
	.fops	= &dial_fops,
};

static int __init dial_init(void)
{
	return misc_register(&dial);
}

static void __exit dial_exit(void)
{
	misc_deregister(&dial);
}

module_init(dial_init);
module_exit(dial_exit);

MODULE_DESCRIPTION("A position that is asked for and set by ioctl");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
