// SPDX-License-Identifier: GPL-2.0
/*
 * leak_failed_init: Allocates, fails, and returns an error from init without
 * freeing.
 */

#include <linux/module.h>
#include <linux/slab.h>

static char *buffer;
static int hardware;

static int __init leak_failed_init_init(void)
{
	buffer = kmalloc(512, GFP_KERNEL); /* HERE */
	if (!buffer)
		return -ENOMEM;
	/* DELIBERATE BUG: kfree(buffer) is missing */
	if (!READ_ONCE(hardware))
		return -ENODEV;
	return 0;
}

static void __exit leak_failed_init_exit(void)
{
	kfree(buffer);
}

module_init(leak_failed_init_init);
module_exit(leak_failed_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: leak_failed_init");
MODULE_LICENSE("GPL");
