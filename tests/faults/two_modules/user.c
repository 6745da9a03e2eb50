// SPDX-License-Identifier: GPL-2.0
/* two_modules: the module that calls its neighbour. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include "library.h"

static struct numbers *numbers;

static int __init user_init(void)
{
	pr_info("%ld\n", library_sum(numbers));
	return 0;
}

static void __exit user_exit(void)
{
}

module_init(user_init);
module_exit(user_exit);

MODULE_DESCRIPTION("Faulty on purpose: two_modules, the user");
MODULE_LICENSE("GPL");
