// SPDX-License-Identifier: GPL-2.0
/*
 * hen: needs a function of egg, which needs one of hen. So neither can be loaded
 * first, and no tool can put them into an order.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

#include "hen.h"

int hen_lays(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(hen_lays);

static int __init hen_init(void)
{
	/* DELIBERATE BUG: a dependency that goes round in a circle, see README */
	pr_info("%d\n", egg_hatches());
	return 0;
}

static void __exit hen_exit(void)
{
}

module_init(hen_init);
module_exit(hen_exit);

MODULE_DESCRIPTION("Leans on egg, which leans on hen");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
