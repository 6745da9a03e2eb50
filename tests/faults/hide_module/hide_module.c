// SPDX-License-Identifier: GPL-2.0
/*
 * hide_module: Takes itself out of the kernel's list of modules: lsmod no
 * longer shows it, and rmmod does not find it.
 */

#include <linux/list.h>
#include <linux/module.h>

static int __init hide_module_init(void)
{
	/* DELIBERATE BUG: hostile */
	list_del_init(&THIS_MODULE->list);
	return 0;
}

static void __exit hide_module_exit(void)
{
}

module_init(hide_module_init);
module_exit(hide_module_exit);

MODULE_DESCRIPTION("For the tests of verdicts: hide_module");
MODULE_LICENSE("GPL");
