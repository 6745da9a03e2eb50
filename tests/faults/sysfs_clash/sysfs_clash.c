// SPDX-License-Identifier: GPL-2.0
/*
 * sysfs_clash: Makes the same sysfs folder twice.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>

static struct kobject *first, *second;

static noinline struct kobject *folder_add(void)
{
	struct kobject *folder = kobject_create_and_add("sysfs_clash", kernel_kobj); /* HERE */

	if (!folder)
		pr_info("no folder\n");
	return folder;
}

static int __init sysfs_clash_init(void)
{
	first = folder_add();
	if (!first)
		return -ENOMEM;
	/* DELIBERATE BUG: the folder is there */
	second = folder_add();
	return 0;
}

static void __exit sysfs_clash_exit(void)
{
	kobject_put(second);
	kobject_put(first);
}

module_init(sysfs_clash_init);
module_exit(sysfs_clash_exit);

MODULE_DESCRIPTION("Faulty on purpose: sysfs_clash");
MODULE_LICENSE("GPL");
