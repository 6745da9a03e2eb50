/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctl commands of /dev/scribble, for the driver and for programs alike.
 *
 * A command number holds four things: the direction the argument travels in, a
 * letter that belongs to the driver, a running number, and the argument's size.
 * (Documentation/userspace-api/ioctl/ioctl-number.rst lists the letters taken.)
 */
#ifndef SCRIBBLE_IOCTL_H
#define SCRIBBLE_IOCTL_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#define SCRIBBLE_MAGIC 0xB7

/* Forget all that was written. */
#define SCRIBBLE_CLEAR		_IO(SCRIBBLE_MAGIC, 0)
/* How many bytes are written on the sheet? */
#define SCRIBBLE_GET_LENGTH	_IOR(SCRIBBLE_MAGIC, 1, unsigned int)
/* Cut the text to this many bytes, or lengthen it with zero bytes. */
#define SCRIBBLE_SET_LENGTH	_IOW(SCRIBBLE_MAGIC, 2, unsigned int)
/* How many bytes does the sheet hold? */
#define SCRIBBLE_GET_SIZE	_IOR(SCRIBBLE_MAGIC, 3, unsigned int)

#endif
