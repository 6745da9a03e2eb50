// SPDX-License-Identifier: GPL-2.0
/*
 * other_kernel: Says that it was built for another kernel.
 */

#include <linux/module.h>

MODULE_INFO(vermagic, "5.10.0-99-amd64 SMP mod_unload ");

static int __init other_kernel_init(void)
{
	return 0;
}

static void __exit other_kernel_exit(void)
{
}

module_init(other_kernel_init);
module_exit(other_kernel_exit);

MODULE_DESCRIPTION("Faulty on purpose: other_kernel");
MODULE_LICENSE("GPL");
