// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_debugfs: Leaves a folder in debugfs behind.
 */

#include <linux/debugfs.h>
#include <linux/module.h>

static u32 counter;

static int __init forgot_debugfs_init(void)
{
	struct dentry *folder = debugfs_create_dir("forgot_debugfs", NULL); /* HERE */

	debugfs_create_u32("counter", 0444, folder, &counter); /* HERE */
	return 0;
}

static void __exit forgot_debugfs_exit(void)
{
	/* DELIBERATE BUG: debugfs_remove() is missing */
}

module_init(forgot_debugfs_init);
module_exit(forgot_debugfs_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_debugfs");
MODULE_LICENSE("GPL");
