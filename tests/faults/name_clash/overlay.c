// SPDX-License-Identifier: GPL-2.0
/*
 * name_clash: Has the name of a module that is loaded already, overlay.
 */

#include <linux/module.h>

static int __init overlay_init(void)
{
	return 0;
}

static void __exit overlay_exit(void)
{
}

module_init(overlay_init);
module_exit(overlay_exit);

MODULE_DESCRIPTION("Faulty on purpose: name_clash");
MODULE_LICENSE("GPL");
