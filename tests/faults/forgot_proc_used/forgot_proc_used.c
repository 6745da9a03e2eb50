// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_proc_used: Leaves its /proc entry behind, and somebody still reads it
 * when the module is gone.
 */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int entry_show(struct seq_file *file, void *unused)
{
	seq_puts(file, "still here\n");
	return 0;
}

static int __init forgot_proc_used_init(void)
{
	return proc_create_single("forgot_proc_used", 0444, NULL, entry_show) ? 0 : -ENOMEM;
}

static void __exit forgot_proc_used_exit(void)
{
	/* DELIBERATE BUG: remove_proc_entry() is missing */
}

module_init(forgot_proc_used_init);
module_exit(forgot_proc_used_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_proc_used");
MODULE_LICENSE("GPL");
