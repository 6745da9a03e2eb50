// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_sysfs: Leaves a folder in /sys/kernel behind.
 */

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>

static struct kobject *folder;

static int __init forgot_sysfs_init(void)
{
	folder = kobject_create_and_add("forgot_sysfs", kernel_kobj); /* HERE */
	return folder ? 0 : -ENOMEM;
}

static void __exit forgot_sysfs_exit(void)
{
	/* DELIBERATE BUG: kobject_put() is missing */
}

module_init(forgot_sysfs_init);
module_exit(forgot_sysfs_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_sysfs");
MODULE_LICENSE("GPL");
