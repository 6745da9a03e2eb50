// SPDX-License-Identifier: GPL-2.0
/*
 * $name: says hello when it is loaded and goodbye when it is unloaded.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static unsigned int times = 1;
module_param(times, uint, 0444);
MODULE_PARM_DESC(times, "how often to greet, 1 to 10");

/* Called once, when the module is loaded; a negative errno means "no". */
static int __init ${name}_init(void)
{
	unsigned int i;

	if (times < 1 || times > 10) {
		pr_err("times=%u is not between 1 and 10\n", times);
		return -EINVAL;
	}
	for (i = 1; i <= times; i++)
		pr_info("hello (%u of %u)\n", i, times);
	return 0;
}

/* Called once, when it is unloaded: undo here whatever init has done. */
static void __exit ${name}_exit(void)
{
	pr_info("goodbye\n");
}

module_init(${name}_init);
module_exit(${name}_exit);

MODULE_DESCRIPTION("Says hello and goodbye");
MODULE_LICENSE("GPL");
