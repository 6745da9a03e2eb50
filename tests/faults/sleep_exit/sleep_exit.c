// SPDX-License-Identifier: GPL-2.0
/*
 * sleep_exit: Waits in exit for users that never go.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(queue);
static int users = 1;

static int __init sleep_exit_init(void)
{
	return 0;
}

static void __exit sleep_exit_exit(void)
{
	/* DELIBERATE BUG: nobody counts the users down */
	wait_event(queue, READ_ONCE(users) == 0); /* HERE */
	pr_info("all users are gone\n");
}

module_init(sleep_exit_init);
module_exit(sleep_exit_exit);

MODULE_DESCRIPTION("Faulty on purpose: sleep_exit");
MODULE_LICENSE("GPL");
