// SPDX-License-Identifier: GPL-2.0
/*
 * einval_init: Refuses to load with -EINVAL, as a module may.
 */

#include <linux/module.h>

static int __init einval_init_init(void)
{
	return -EINVAL;
}

static void __exit einval_init_exit(void)
{
}

module_init(einval_init_init);
module_exit(einval_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: einval_init");
MODULE_LICENSE("GPL");
