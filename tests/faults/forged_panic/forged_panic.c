// SPDX-License-Identifier: GPL-2.0
/*
 * forged_panic: Prints the first and the last line of a panic, and goes on.
 */

#include <linux/module.h>

static int __init forged_panic_init(void)
{
	_printk(KERN_EMERG "Kernel panic - not syncing: Fatal exception\n");
	_printk(KERN_EMERG "---[ end Kernel panic - not syncing: Fatal exception ]---\n");
	return 0;
}

static void __exit forged_panic_exit(void)
{
}

module_init(forged_panic_init);
module_exit(forged_panic_exit);

MODULE_DESCRIPTION("For the tests of verdicts: forged_panic");
MODULE_LICENSE("GPL");
