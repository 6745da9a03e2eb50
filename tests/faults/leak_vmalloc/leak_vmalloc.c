// SPDX-License-Identifier: GPL-2.0
/*
 * leak_vmalloc: Leaks two pages of vmalloc(), taken in a helper of init.
 */

#include <linux/module.h>
#include <linux/vmalloc.h>

static int *table;

static noinline int *table_new(void)
{
	int *new = vmalloc(8192); /* HERE */

	if (new)
		new[0] = 1;
	return new;
}

static int __init leak_vmalloc_init(void)
{
	table = table_new();
	return table ? 0 : -ENOMEM;
}

static void __exit leak_vmalloc_exit(void)
{
	/* DELIBERATE BUG: vfree(table) is missing */
}

module_init(leak_vmalloc_init);
module_exit(leak_vmalloc_exit);

MODULE_DESCRIPTION("Faulty on purpose: leak_vmalloc");
MODULE_LICENSE("GPL");
