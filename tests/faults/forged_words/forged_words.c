// SPDX-License-Identifier: GPL-2.0
/*
 * forged_words: Prints lines that look like a fault, and "PASS".
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

static int __init forged_words_init(void)
{
	pr_alert("BUG: kernel NULL pointer dereference, address: 0000000000000000\n");
	pr_emerg("Kernel panic - not syncing: not at all\n");
	pr_warn("WARNING: CPU: 0 PID: 1 at nowhere.c:1 nothing+0x0/0x10\n");
	pr_info("PASS\n");
	pr_info("verdict: oopsed\n");
	return 0;
}

static void __exit forged_words_exit(void)
{
}

module_init(forged_words_init);
module_exit(forged_words_exit);

MODULE_DESCRIPTION("For the tests of verdicts: forged_words");
MODULE_LICENSE("GPL");
