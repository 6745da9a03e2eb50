// SPDX-License-Identifier: GPL-2.0
/*
 * include_zero: Includes a file that never ends.
 */

#include <linux/module.h>

/* DELIBERATE BUG: hostile */
#include "/dev/zero"

static int __init include_zero_init(void)
{
	return 0;
}

static void __exit include_zero_exit(void)
{
}

module_init(include_zero_init);
module_exit(include_zero_exit);

MODULE_DESCRIPTION("Faulty on purpose: include_zero");
MODULE_LICENSE("GPL");
