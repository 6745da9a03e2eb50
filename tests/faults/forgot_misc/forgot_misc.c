// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_misc: Leaves its misc device behind; somebody opens it after the
 * module is gone.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static const struct file_operations forgot_misc_fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice forgot_misc_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "forgot_misc",
	.fops = &forgot_misc_fops,
};

static int __init forgot_misc_init(void)
{
	return misc_register(&forgot_misc_device);
}

static void __exit forgot_misc_exit(void)
{
	/* DELIBERATE BUG: misc_deregister() is missing */
}

module_init(forgot_misc_init);
module_exit(forgot_misc_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_misc");
MODULE_LICENSE("GPL");
