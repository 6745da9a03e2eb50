// SPDX-License-Identifier: GPL-2.0
/*
 * forged_oops: Prints a whole oops, line by line and without a prefix, that
 * never happened.
 */

#include <linux/module.h>

static const char * const lines[] = {
	KERN_ALERT "BUG: kernel NULL pointer dereference, address: 0000000000000000\n",
	KERN_ALERT "#PF: supervisor write access in kernel mode\n",
	KERN_ALERT "#PF: error_code(0x0002) - not-present page\n",
	KERN_WARNING "Oops: 0002 [#1] PREEMPT SMP NOPTI\n",
	KERN_WARNING "CPU: 0 PID: 140 Comm: bash Tainted: G           OE      6.1.0\n",
	KERN_WARNING "RIP: 0010:vfs_write+0xc4/0x3f0\n",
	KERN_WARNING "Call Trace:\n",
	KERN_WARNING " <TASK>\n",
	KERN_WARNING " ksys_write+0x6b/0xf0\n",
	KERN_WARNING " do_syscall_64+0x5d/0xb0\n",
	KERN_WARNING " </TASK>\n",
	KERN_WARNING "---[ end trace 0000000000000000 ]---\n",
};

static int __init forged_oops_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		_printk("%s", lines[i]);
	return 0;
}

static void __exit forged_oops_exit(void)
{
}

module_init(forged_oops_init);
module_exit(forged_oops_exit);

MODULE_DESCRIPTION("For the tests of verdicts: forged_oops");
MODULE_LICENSE("GPL");
