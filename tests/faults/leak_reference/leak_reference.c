// SPDX-License-Identifier: GPL-2.0
/*
 * leak_reference: Takes a reference to itself in init and never gives it back:
 * it cannot be unloaded.
 */

#include <linux/module.h>

static int __init leak_reference_init(void)
{
	/* DELIBERATE BUG: meant to keep the module while it works; it is never put */
	__module_get(THIS_MODULE);
	return 0;
}

static void __exit leak_reference_exit(void)
{
	module_put(THIS_MODULE);
}

module_init(leak_reference_init);
module_exit(leak_reference_exit);

MODULE_DESCRIPTION("Faulty on purpose: leak_reference");
MODULE_LICENSE("GPL");
