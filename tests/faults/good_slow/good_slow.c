// SPDX-License-Identifier: GPL-2.0
/*
 * good_slow: Waits two seconds in init, as some hardware does: slow is not
 * hung.
 */

#include <linux/delay.h>
#include <linux/module.h>

static int __init good_slow_init(void)
{
	msleep(2000);
	return 0;
}

static void __exit good_slow_exit(void)
{
}

module_init(good_slow_init);
module_exit(good_slow_exit);

MODULE_DESCRIPTION("For the tests of verdicts: good_slow");
MODULE_LICENSE("GPL");
