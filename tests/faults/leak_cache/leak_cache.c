// SPDX-License-Identifier: GPL-2.0
/*
 * leak_cache: Destroys a cache of its own in which an object is still in use.
 */

#include <linux/module.h>
#include <linux/slab.h>

struct ticket {
	int number;
	char text[196];
};

static struct kmem_cache *tickets;
static struct ticket *first, *second;

static void ticket_fresh(void *object)
{
	struct ticket *ticket = object;

	ticket->number = -1;
}

static int __init leak_cache_init(void)
{
	tickets = kmem_cache_create("leak_cache", sizeof(struct ticket), 0, 0, ticket_fresh);
	if (!tickets)
		return -ENOMEM;
	first = kmem_cache_alloc(tickets, GFP_KERNEL);
	second = kmem_cache_alloc(tickets, GFP_KERNEL); /* HERE */
	if (first && second)
		return 0;
	if (first)
		kmem_cache_free(tickets, first);
	if (second)
		kmem_cache_free(tickets, second);
	kmem_cache_destroy(tickets);
	return -ENOMEM;
}

static void __exit leak_cache_exit(void)
{
	kmem_cache_free(tickets, first);
	/* DELIBERATE BUG: the second ticket is forgotten */
	kmem_cache_destroy(tickets);
}

module_init(leak_cache_init);
module_exit(leak_cache_exit);

MODULE_DESCRIPTION("Faulty on purpose: leak_cache");
MODULE_LICENSE("GPL");
