// SPDX-License-Identifier: GPL-2.0
/*
 * include_passwd: Includes a file of the host that is none of the module's
 * business.
 */

#include <linux/module.h>

/* DELIBERATE BUG: hostile */
#include "/etc/passwd" /* HERE */

static int __init include_passwd_init(void)
{
	return 0;
}

static void __exit include_passwd_exit(void)
{
}

module_init(include_passwd_init);
module_exit(include_passwd_exit);

MODULE_DESCRIPTION("Faulty on purpose: include_passwd");
MODULE_LICENSE("GPL");
