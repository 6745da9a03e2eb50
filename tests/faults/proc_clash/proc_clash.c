// SPDX-License-Identifier: GPL-2.0
/*
 * proc_clash: Makes a /proc entry of a name that is taken, in a helper, and
 * does not look at what comes back.
 */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int proc_clash_show(struct seq_file *file, void *unused)
{
	seq_puts(file, "none\n");
	return 0;
}

static struct proc_dir_entry *entry;

static noinline void entry_add(void)
{
	/* DELIBERATE BUG: /proc/meminfo is the kernel's */
	entry = proc_create_single("meminfo", 0444, NULL, proc_clash_show); /* HERE */
}

static int __init proc_clash_init(void)
{
	entry_add();
	return 0;
}

static void __exit proc_clash_exit(void)
{
	proc_remove(entry);
}

module_init(proc_clash_init);
module_exit(proc_clash_exit);

MODULE_DESCRIPTION("Faulty on purpose: proc_clash");
MODULE_LICENSE("GPL");
