// SPDX-License-Identifier: GPL-2.0
/*
 * bell: each byte written to /dev/bell is one ring. A reader gets an '*' for
 * each ring that nobody has had yet; as long as there is none, it sleeps.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define MOST 64

static DEFINE_SPINLOCK(lock);			/* guards rings */
static size_t rings;				/* that nobody has had yet */
static DECLARE_WAIT_QUEUE_HEAD(rung);		/* who sleeps until it rings */

/* Take at most so many rings, and return how many these are: perhaps 0. */
static size_t take(size_t most)
{
	size_t taken;

	spin_lock(&lock);
	taken = min3(most, rings, (size_t)MOST);
	rings -= taken;
	spin_unlock(&lock);
	return taken;
}

/*
 * wait_event_interruptible(rung, condition) sleeps on the wait queue "rung"
 * until the condition is true. It looks at it first, and again whenever
 * somebody calls wake_up_interruptible(&rung). It returns 0, or -ERESTARTSYS
 * if a signal came instead. A file opened with O_NONBLOCK must never sleep:
 * file->f_flags says so.
 */
static ssize_t bell_read(struct file *file, char __user *buffer,
			 size_t count, loff_t *pos)
{
	static const char stars[MOST] = { [0 ... MOST - 1] = '*' };
	size_t taken;

	if (!count)
		return 0;
	/*
	 * BEGIN SOLUTION: take up to count rings; if there are none, sleep until
	 * there are, or return -EAGAIN at once if the file is O_NONBLOCK
	 */
	taken = take(count);
	while (!taken) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(rung, READ_ONCE(rings)))
			return -ERESTARTSYS;
		taken = take(count);	/* another reader may have been faster */
	}
	/* SKELETON: taken = take(count); */
	/* END SOLUTION */
	return copy_to_user(buffer, stars, taken) ? -EFAULT : taken;
}

static ssize_t bell_write(struct file *file, const char __user *buffer,
			  size_t count, loff_t *pos)
{
	spin_lock(&lock);
	rings += count;
	spin_unlock(&lock);
	/* BEGIN SOLUTION: wake who sleeps */
	wake_up_interruptible(&rung);
	/* END SOLUTION */
	return count;
}

/*
 * poll(): never sleeps. poll_wait(file, &rung, table) tells the kernel on which
 * queue to wait for us; then say what can be done now.
 */
static __poll_t bell_poll(struct file *file, poll_table *table)
{
	/* BEGIN SOLUTION: EPOLLIN | EPOLLRDNORM if there is a ring, else 0 */
	poll_wait(file, &rung, table);
	return READ_ONCE(rings) ? EPOLLIN | EPOLLRDNORM : 0;
	/* SKELETON: return 0; */
	/* END SOLUTION */
}

static const struct file_operations bell_fops = {
	.owner	= THIS_MODULE,
	.read	= bell_read,
	.write	= bell_write,
	.poll	= bell_poll,
};

static struct miscdevice bell = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "bell",
	.fops	= &bell_fops,
};
module_misc_device(bell);

MODULE_DESCRIPTION("A device whose readers sleep until it rings");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
