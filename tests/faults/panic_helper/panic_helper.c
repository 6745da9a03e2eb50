// SPDX-License-Identifier: GPL-2.0
/*
 * panic_helper: Calls panic() from a helper of init.
 */

#include <linux/kernel.h>
#include <linux/module.h>

static noinline void give_up(const char *why)
{
	/* DELIBERATE BUG: a module has no business to stop the machine */
	panic("cannot go on: %s", why); /* HERE */
}

static int __init panic_helper_init(void)
{
	give_up("no hardware");
	return 0;
}

static void __exit panic_helper_exit(void)
{
}

module_init(panic_helper_init);
module_exit(panic_helper_exit);

MODULE_DESCRIPTION("Faulty on purpose: panic_helper");
MODULE_LICENSE("GPL");
