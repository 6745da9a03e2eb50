// SPDX-License-Identifier: GPL-2.0
/*
 * list_uninitialised: Adds to a list whose head nobody has initialised, in a
 * helper of init.
 */

#include <linux/list.h>
#include <linux/module.h>

struct entry {
	struct list_head link;
	int value;
};

static struct list_head entries;
static struct entry entry = { .value = 1 };

static noinline void remember(struct entry *this)
{
	/* DELIBERATE BUG: INIT_LIST_HEAD(&entries) is missing */
	list_add(&this->link, &entries); /* HERE */
}

static int __init list_uninitialised_init(void)
{
	remember(&entry);
	return 0;
}

static void __exit list_uninitialised_exit(void)
{
}

module_init(list_uninitialised_init);
module_exit(list_uninitialised_exit);

MODULE_DESCRIPTION("Faulty on purpose: list_uninitialised");
MODULE_LICENSE("GPL");
