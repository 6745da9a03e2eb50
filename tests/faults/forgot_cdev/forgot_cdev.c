// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_cdev: Leaves its range of device numbers behind.
 */

#include <linux/fs.h>
#include <linux/module.h>

static dev_t number;

static int __init forgot_cdev_init(void)
{
	return alloc_chrdev_region(&number, 0, 1, "forgot_cdev"); /* HERE */
}

static void __exit forgot_cdev_exit(void)
{
	/* DELIBERATE BUG: unregister_chrdev_region() is missing */
}

module_init(forgot_cdev_init);
module_exit(forgot_cdev_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_cdev");
MODULE_LICENSE("GPL");
