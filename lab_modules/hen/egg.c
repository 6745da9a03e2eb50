// SPDX-License-Identifier: GPL-2.0
/*
 * egg: needs a function of hen, which needs one of egg. So neither can be loaded
 * first, and no tool can put them into an order.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

#include "hen.h"

int egg_hatches(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(egg_hatches);

static int __init egg_init(void)
{
	/* DELIBERATE BUG: a dependency that goes round in a circle, see README */
	pr_info("%d\n", hen_lays());
	return 0;
}

static void __exit egg_exit(void)
{
}

module_init(egg_init);
module_exit(egg_exit);

MODULE_DESCRIPTION("Leans on hen, which leans on egg");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
