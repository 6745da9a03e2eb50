// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_proc: Leaves its /proc entry behind when it is unloaded.
 */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int entry_show(struct seq_file *file, void *unused)
{
	seq_puts(file, "still here\n");
	return 0;
}

static int __init forgot_proc_init(void)
{
	return proc_create_single("forgot_proc", 0444, NULL, entry_show) ? 0 : -ENOMEM; /* HERE */
}

static void __exit forgot_proc_exit(void)
{
	/* DELIBERATE BUG: remove_proc_entry() is missing */
}

module_init(forgot_proc_init);
module_exit(forgot_proc_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_proc");
MODULE_LICENSE("GPL");
