// SPDX-License-Identifier: GPL-2.0
/*
 * no_licence: Has no MODULE_LICENSE.
 */

#include <linux/module.h>

static int __init no_licence_init(void)
{
	return 0;
}

static void __exit no_licence_exit(void)
{
}

module_init(no_licence_init);
module_exit(no_licence_exit);

MODULE_DESCRIPTION("Faulty on purpose: no_licence");
