// SPDX-License-Identifier: GPL-2.0
/*
 * kbuild_command: Has a Kbuild that runs commands: it leaves a file in /tmp
 * and looks for the host's files.
 */

#include <linux/module.h>

static int __init kbuild_command_init(void)
{
	return 0;
}

static void __exit kbuild_command_exit(void)
{
}

module_init(kbuild_command_init);
module_exit(kbuild_command_exit);

MODULE_DESCRIPTION("For the tests of verdicts: kbuild_command");
MODULE_LICENSE("GPL");
