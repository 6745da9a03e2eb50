// SPDX-License-Identifier: GPL-2.0
/*
 * scribble: a character driver. /dev/scribble is one sheet of memory that all
 * programs share. It behaves like a file that cannot grow beyond its size:
 * read() ends at the length written so far, write() at the size (ENOSPC).
 *
 * Read it from the bottom up if you like: scribble_init() announces the device,
 * scribble_fops names the function for each system call, and the functions
 * above it do the work.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "scribble_ioctl.h"

static unsigned int size = SZ_64K;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "bytes that the sheet holds, 1 to 16777216");

static bool wait;
module_param(wait, bool, 0444);
MODULE_PARM_DESC(wait, "let read() wait for more where the text ends");

/*
 * All there is of the one device. Several programs may be in the functions
 * below at the same moment, on several CPUs: hence the mutex.
 */
static struct {
	struct mutex lock;		/* guards sheet and length */
	char *sheet;			/* size bytes; zero beyond length */
	size_t length;			/* bytes written so far */
	wait_queue_head_t changed;	/* who sleeps in read() or poll() */
	struct cdev cdev;
} scribble;

/*
 * Change the length, with the mutex held. What is cut off is wiped at once: if
 * the text grows again, the old bytes must not come back.
 */
static void set_length(size_t length)
{
	if (length < scribble.length)
		memset(scribble.sheet + length, 0, scribble.length - length);
	WRITE_ONCE(scribble.length, length);	/* others look without the mutex */
	wake_up_interruptible(&scribble.changed);
}

/*
 * open(): a shell's "> /dev/scribble" opens with O_TRUNC. The kernel empties a
 * regular file by itself; for a device the driver has to.
 *
 * Nothing here counts the users. The kernel took a reference to the module
 * (scribble_fops.owner) before it called us, and drops it after the last
 * close(): until then rmmod fails with "Module scribble is in use".
 */
static int scribble_open(struct inode *inode, struct file *file)
{
	if (!(file->f_mode & FMODE_WRITE) || !(file->f_flags & O_TRUNC))
		return 0;
	/* A signal (Ctrl-C) ends the wait; the kernel then repeats the call. */
	if (mutex_lock_interruptible(&scribble.lock))
		return -ERESTARTSYS;
	set_length(0);
	mutex_unlock(&scribble.lock);
	return 0;
}

/*
 * Take the mutex. With wait=1, do so only once there is text after "pos", and
 * sleep until then: wait_event_interruptible() puts the caller on our wait
 * queue, and each wake_up on that queue lets it look at the condition again.
 * Nobody may sleep like this with the mutex held: who is to write then?
 */
static int lock_to_read(struct file *file, loff_t pos)
{
	for (;;) {
		if (mutex_lock_interruptible(&scribble.lock))
			return -ERESTARTSYS;
		if (!wait || pos < scribble.length || pos >= size)
			return 0;
		mutex_unlock(&scribble.lock);
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;		/* asked not to be kept waiting */
		if (wait_event_interruptible(scribble.changed,
					     pos < READ_ONCE(scribble.length)))
			return -ERESTARTSYS;	/* a signal came instead */
	}
}

/*
 * read(): "buffer" is an address in the program's memory. It may be anything,
 * even an address of the kernel; copy_to_user() checks it, and survives when
 * the page is not there. It returns how many bytes it could NOT copy.
 */
static ssize_t scribble_read(struct file *file, char __user *buffer,
			     size_t count, loff_t *pos)
{
	ssize_t done = 0;	/* 0 is what read() returns at the end */
	int err;

	if (!count)
		return 0;
	err = lock_to_read(file, *pos);
	if (err)
		return err;
	if (*pos < scribble.length) {
		count = min_t(size_t, count, scribble.length - *pos);
		done = count - copy_to_user(buffer, scribble.sheet + *pos, count);
		if (!done && count)
			done = -EFAULT;
		else
			*pos += done;
	}
	mutex_unlock(&scribble.lock);
	return done;
}

/* write(): as much as fits, and -ENOSPC once nothing fits any more. */
static ssize_t scribble_write(struct file *file, const char __user *buffer,
			      size_t count, loff_t *pos)
{
	ssize_t done;
	loff_t at;

	if (!count)
		return 0;
	if (mutex_lock_interruptible(&scribble.lock))
		return -ERESTARTSYS;
	at = file->f_flags & O_APPEND ? scribble.length : *pos;
	if (at >= size) {
		done = -ENOSPC;
		goto unlock;
	}
	count = min_t(size_t, count, size - at);
	done = count - copy_from_user(scribble.sheet + at, buffer, count);
	if (!done) {
		done = -EFAULT;
		goto unlock;
	}
	*pos = at + done;
	if (*pos > scribble.length)
		set_length(*pos);
unlock:
	mutex_unlock(&scribble.lock);
	return done;
}

/* lseek(): the kernel has the arithmetic; we say where the end is. */
static loff_t scribble_llseek(struct file *file, loff_t offset, int whence)
{
	loff_t pos;

	if (mutex_lock_interruptible(&scribble.lock))
		return -ERESTARTSYS;
	pos = generic_file_llseek_size(file, offset, whence, size,
				       scribble.length);
	mutex_unlock(&scribble.lock);
	return pos;
}

/*
 * poll(), select(), epoll: what could be done now without waiting? A driver
 * does not sleep here. poll_wait() puts the caller on our wait queue; the
 * kernel sleeps, and asks again after each wake_up on that queue.
 */
static __poll_t scribble_poll(struct file *file, poll_table *table)
{
	__poll_t ready = 0;
	loff_t at;

	poll_wait(file, &scribble.changed, table);
	mutex_lock(&scribble.lock);
	if (file->f_pos < scribble.length)
		ready |= EPOLLIN | EPOLLRDNORM;		/* text not yet read */
	at = file->f_flags & O_APPEND ? scribble.length : file->f_pos;
	if (at < size)
		ready |= EPOLLOUT | EPOLLWRNORM;	/* room to write */
	mutex_unlock(&scribble.lock);
	return ready;
}

/* ioctl(): whatever is neither reading nor writing. */
static long scribble_ioctl(struct file *file, unsigned int command,
			   unsigned long argument)
{
	unsigned int __user *user = (unsigned int __user *)argument;
	unsigned int length = 0;
	long err = 0;

	switch (command) {
	case SCRIBBLE_GET_SIZE:
		return put_user(size, user);
	case SCRIBBLE_GET_LENGTH:
		return put_user((unsigned int)READ_ONCE(scribble.length), user);
	case SCRIBBLE_SET_LENGTH:
		if (get_user(length, user))
			return -EFAULT;
		break;
	case SCRIBBLE_CLEAR:
		break;
	default:
		return -ENOTTY;		/* "no such command on this device" */
	}
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;		/* opened for reading only */
	if (mutex_lock_interruptible(&scribble.lock))
		return -ERESTARTSYS;
	if (length > size)
		err = -ENOSPC;
	else
		set_length(length);
	mutex_unlock(&scribble.lock);
	return err;
}

/* mmap(): put the sheet's own pages into the program's address space. */
static int scribble_mmap(struct file *file, struct vm_area_struct *vma)
{
	return remap_vmalloc_range(vma, scribble.sheet, vma->vm_pgoff);
}

static const struct file_operations scribble_fops = {
	.owner		= THIS_MODULE,
	.open		= scribble_open,
	.read		= scribble_read,
	.write		= scribble_write,
	.llseek		= scribble_llseek,
	.poll		= scribble_poll,
	.unlocked_ioctl	= scribble_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,	/* 32-bit programs */
	.mmap		= scribble_mmap,
};

/* A class is a folder in /sys/class. */
static struct class scribble_class = {
	.name = "scribble",
};

/*
 * Four steps, each of which may fail. Whatever has been done by then must be
 * undone, last step first: the labels stand in that order, and each "goto"
 * enters the ladder at the right rung.
 */
static int __init scribble_init(void)
{
	struct device *device;
	dev_t number;
	int err;

	if (size < 1 || size > SZ_16M) {
		pr_err("size=%u is not between 1 and %u\n", size, SZ_16M);
		return -EINVAL;
	}
	mutex_init(&scribble.lock);
	init_waitqueue_head(&scribble.changed);

	/* Whole pages, filled with zeros, that mmap() may hand to programs. */
	scribble.sheet = vmalloc_user(size);
	if (!scribble.sheet)
		return -ENOMEM;

	/* A number for the device: "crw------- … 510, 0" in ls -l /dev. */
	err = alloc_chrdev_region(&number, 0, 1, KBUILD_MODNAME);
	if (err)
		goto free_sheet;

	err = class_register(&scribble_class);
	if (err)
		goto free_number;

	/* From here on a program that knows the number can open the device. */
	cdev_init(&scribble.cdev, &scribble_fops);
	scribble.cdev.owner = THIS_MODULE;
	err = cdev_add(&scribble.cdev, number, 1);
	if (err)
		goto remove_class;

	/* An entry in /sys; devtmpfs sees it and makes /dev/scribble. */
	device = device_create(&scribble_class, NULL, number, NULL, "scribble");
	if (IS_ERR(device)) {
		err = PTR_ERR(device);
		goto remove_cdev;
	}
	pr_info("/dev/scribble holds %u bytes\n", size);
	return 0;

remove_cdev:
	cdev_del(&scribble.cdev);
remove_class:
	class_unregister(&scribble_class);
free_number:
	unregister_chrdev_region(number, 1);
free_sheet:
	vfree(scribble.sheet);
	return err;
}

/* The same ladder from the top. No file is open: rmmod has seen to that. */
static void __exit scribble_exit(void)
{
	dev_t number = scribble.cdev.dev;

	device_destroy(&scribble_class, number);
	cdev_del(&scribble.cdev);
	class_unregister(&scribble_class);
	unregister_chrdev_region(number, 1);
	vfree(scribble.sheet);
}

module_init(scribble_init);
module_exit(scribble_exit);

MODULE_DESCRIPTION("A character device: one sheet of memory for all");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
