// SPDX-License-Identifier: GPL-2.0
/*
 * bad_parameter: Is given a text for a parameter that is a number.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/moduleparam.h>

static int count = 1;
module_param(count, int, 0444);
MODULE_PARM_DESC(count, "a number");

static int __init bad_parameter_init(void)
{
	pr_info("%d\n", count);
	return 0;
}

static void __exit bad_parameter_exit(void)
{
}

module_init(bad_parameter_init);
module_exit(bad_parameter_exit);

MODULE_DESCRIPTION("Faulty on purpose: bad_parameter");
MODULE_LICENSE("GPL");
