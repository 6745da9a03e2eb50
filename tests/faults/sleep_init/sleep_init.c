// SPDX-License-Identifier: GPL-2.0
/*
 * sleep_init: Waits in init for a completion that never comes, in a helper.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/module.h>

static DECLARE_COMPLETION(loaded);

static noinline void wait_for_firmware(void)
{
	/* DELIBERATE BUG: nobody completes it */
	wait_for_completion(&loaded); /* HERE */
	pr_info("the firmware is there\n");
}

static int __init sleep_init_init(void)
{
	wait_for_firmware();
	return 0;
}

static void __exit sleep_init_exit(void)
{
}

module_init(sleep_init_init);
module_exit(sleep_init_exit);

MODULE_DESCRIPTION("Faulty on purpose: sleep_init");
MODULE_LICENSE("GPL");
