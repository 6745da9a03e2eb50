// SPDX-License-Identifier: GPL-2.0
/*
 * init_leftover: Makes a /proc entry and then refuses to load; somebody reads
 * the entry.
 */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int hardware;

static int init_leftover_show(struct seq_file *file, void *unused)
{
	seq_puts(file, "none\n");
	return 0;
}

static int __init init_leftover_init(void)
{
	if (!proc_create_single("init_leftover", 0444, NULL, init_leftover_show))
		return -ENOMEM;
	/* DELIBERATE BUG: this way out forgets the entry */
	if (!READ_ONCE(hardware))
		return -ENODEV;
	return 0;
}

static void __exit init_leftover_exit(void)
{
	remove_proc_entry("init_leftover", NULL);
}

module_init(init_leftover_init);
module_exit(init_leftover_exit);

MODULE_DESCRIPTION("Faulty on purpose: init_leftover");
MODULE_LICENSE("GPL");
