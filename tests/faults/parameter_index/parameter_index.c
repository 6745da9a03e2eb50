// SPDX-License-Identifier: GPL-2.0
/*
 * parameter_index: Uses a parameter as an index without a look at it, in a
 * helper of init.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/moduleparam.h>

static int slot;
module_param(slot, int, 0444);
MODULE_PARM_DESC(slot, "which of the 8 slots to set");

static int slots[8];

static noinline void slot_set(int number)
{
	/* DELIBERATE BUG: the number is not checked */
	slots[number]++; /* HERE */
	pr_info("slot 0 holds %d\n", slots[0]);
}

static int __init parameter_index_init(void)
{
	slot_set(slot);
	return 0;
}

static void __exit parameter_index_exit(void)
{
}

module_init(parameter_index_init);
module_exit(parameter_index_exit);

MODULE_DESCRIPTION("Faulty on purpose: parameter_index");
MODULE_LICENSE("GPL");
