// SPDX-License-Identifier: GPL-2.0
/*
 * list_double_del: Deletes an entry from a list twice, through a helper.
 */

#include <linux/list.h>
#include <linux/module.h>

struct entry {
	struct list_head link;
};

static LIST_HEAD(entries);
static struct entry entry;

static noinline void forget(struct entry *this)
{
	list_del(&this->link); /* HERE */
}

static int __init list_double_del_init(void)
{
	list_add(&entry.link, &entries);
	forget(&entry);
	return 0;
}

static void __exit list_double_del_exit(void)
{
	/* DELIBERATE BUG: it was deleted in init */
	forget(&entry);
}

module_init(list_double_del_init);
module_exit(list_double_del_exit);

MODULE_DESCRIPTION("Faulty on purpose: list_double_del");
MODULE_LICENSE("GPL");
