// SPDX-License-Identifier: GPL-2.0
/*
 * good_list: A /proc file that shows a list in a cache of its own; all of it
 * is given back.
 */

#include <linux/list.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

struct item {
	struct list_head link;
	int number;
};

static int length = 3;
module_param(length, int, 0444);
MODULE_PARM_DESC(length, "how many items");

static LIST_HEAD(items);
static struct kmem_cache *cache;

static int good_list_show(struct seq_file *file, void *unused)
{
	struct item *item;

	list_for_each_entry(item, &items, link)
		seq_printf(file, "%d\n", item->number);
	return 0;
}

static void items_free(void)
{
	struct item *item, *next;

	list_for_each_entry_safe(item, next, &items, link) {
		list_del(&item->link);
		kmem_cache_free(cache, item);
	}
	kmem_cache_destroy(cache);
}

static int __init good_list_init(void)
{
	int i;

	cache = KMEM_CACHE(item, 0);
	if (!cache)
		return -ENOMEM;
	for (i = 0; i < length; i++) {
		struct item *item = kmem_cache_alloc(cache, GFP_KERNEL);

		if (!item)
			goto fail;
		item->number = i;
		list_add_tail(&item->link, &items);
	}
	if (!proc_create_single("good_list", 0444, NULL, good_list_show))
		goto fail;
	return 0;
fail:
	items_free();
	return -ENOMEM;
}

static void __exit good_list_exit(void)
{
	remove_proc_entry("good_list", NULL);
	items_free();
}

module_init(good_list_init);
module_exit(good_list_exit);

MODULE_DESCRIPTION("For the tests of verdicts: good_list");
MODULE_LICENSE("GPL");
