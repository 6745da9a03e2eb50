// SPDX-License-Identifier: GPL-2.0
/*
 * null_write_init: Writes through a NULL pointer in its init function.
 */

#include <linux/module.h>

static int __init null_write_init(void)
{
	int *counter = NULL;

	/* DELIBERATE BUG: nobody has allocated the counter */
	*counter = 1; /* HERE */
	return 0;
}

static void __exit null_write_exit(void)
{
}

module_init(null_write_init);
module_exit(null_write_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_write_init");
MODULE_LICENSE("GPL");
