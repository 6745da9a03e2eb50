// SPDX-License-Identifier: GPL-2.0
/*
 * null_seq: Shows a NULL member in the show callback of a seq_file under
 * /proc.
 */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

struct owner {
	int number;
};

struct row {
	int value;
	struct owner *owner;
};

static struct row rows[] = { { .value = 1 }, { .value = 2 } };

static int null_seq_show(struct seq_file *file, void *unused)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		/* DELIBERATE BUG: rows without an owner are allowed */
		if (rows[i].owner->number > 0) /* HERE */
			seq_printf(file, "%d\n", rows[i].value);
	}
	return 0;
}

static int __init null_seq_init(void)
{
	if (!proc_create_single("null_seq", 0444, NULL, null_seq_show))
		return -ENOMEM;
	return 0;
}

static void __exit null_seq_exit(void)
{
	remove_proc_entry("null_seq", NULL);
}

module_init(null_seq_init);
module_exit(null_seq_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_seq");
MODULE_LICENSE("GPL");
