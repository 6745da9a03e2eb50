/* SPDX-License-Identifier: GPL-2.0 */
/*
 * notefs.c is written for the newest kernel; this makes older ones, down to 6.1,
 * look like it. A module inside the kernel's own tree never needs such a file:
 * whoever changes an interface there changes all its users in the same commit.
 */
#ifndef NOTEFS_COMPAT_H
#define NOTEFS_COMPAT_H

#include <linux/fs.h>
#include <linux/version.h>

#define KERNEL_SINCE(major, minor) \
	(KERNEL_VERSION(LINUX_VERSION_MAJOR, LINUX_VERSION_PATCHLEVEL, 0) >= \
	 KERNEL_VERSION(major, minor, 0))

/* How a mount maps the owners of files had no type of its own before. */
#if !KERNEL_SINCE(6, 3)
#define mnt_idmap user_namespace
#define nop_mnt_idmap init_user_ns
#endif

/* What .create is told: before also of O_EXCL, which the VFS has seen to. */
#if KERNEL_SINCE(7, 3)
#define create_mode umode_t mode
#else
#define create_mode umode_t mode, bool excl
#endif

/* .mkdir now returns a dentry, or NULL for "the one that you gave me". */
#if KERNEL_SINCE(6, 15)
#define mkdir_result struct dentry *
#define mkdir_return(err) ERR_PTR(err)
#else
#define mkdir_result int
#define mkdir_return(err) (err)
#endif

/*
 * Join an inode to its name, and keep the name in memory until it is unlinked.
 * Now a flag of the dentry says so; before, one reference more than users.
 */
#if !KERNEL_SINCE(6, 19)
static inline void d_make_persistent(struct dentry *dentry, struct inode *inode)
{
	d_instantiate(dentry, inode);
	dget(dentry);
}

#define kill_anon_super kill_litter_super	/* drops those references */
#endif

#endif
