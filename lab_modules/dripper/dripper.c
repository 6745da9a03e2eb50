// SPDX-License-Identifier: GPL-2.0
/*
 * dripper: packs boxes, each with a label, and unpacks them when it goes. It
 * forgets something, and whatever a module forgets is lost until the next boot.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>

#define BOXES 16
#define CONTENT_SIZE 3000
#define LABEL_SIZE 900

struct box {
	struct list_head list;
	char *label;
	char content[CONTENT_SIZE];
};

static LIST_HEAD(boxes);

static void unpack(void)
{
	struct box *box, *next;

	list_for_each_entry_safe(box, next, &boxes, list) {
		list_del(&box->list);
		/* DELIBERATE BUG: the label is memory of its own, see README */
		kfree(box);
	}
}

static int pack_one(int number)
{
	struct box *box = kzalloc(sizeof(*box), GFP_KERNEL);

	if (!box)
		return -ENOMEM;
	box->label = kzalloc(LABEL_SIZE, GFP_KERNEL);
	if (!box->label) {
		kfree(box);
		return -ENOMEM;
	}
	snprintf(box->label, LABEL_SIZE, "box %d", number);
	list_add_tail(&box->list, &boxes);
	return 0;
}

static int __init dripper_init(void)
{
	int number;

	for (number = 1; number <= BOXES; number++) {
		int err = pack_one(number);

		if (err) {
			unpack();
			return err;
		}
	}
	return 0;
}

static void __exit dripper_exit(void)
{
	unpack();
}

module_init(dripper_init);
module_exit(dripper_exit);

MODULE_DESCRIPTION("Forgets some memory each time it is unloaded");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
