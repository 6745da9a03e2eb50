// SPDX-License-Identifier: GPL-2.0
/* Leans on anatomy, for the tests of the dependency graph. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

int anatomy_sum(int index);
void anatomy_spaced(void);

static int __init leaner_init(void)
{
	anatomy_spaced();
	pr_info("sum %d\n", anatomy_sum(1));
	return 0;
}

static void __exit leaner_exit(void)
{
}

module_init(leaner_init);
module_exit(leaner_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Leans on anatomy");
MODULE_IMPORT_NS(ANATOMY);
MODULE_SOFTDEP("pre: xor");
