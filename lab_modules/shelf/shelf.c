// SPDX-License-Identifier: GPL-2.0
/*
 * shelf: books, all of one size, from a cache of our own. Whatever happens, no
 * book and no cache may stay behind.
 *
 * The parameter "fail" is the number of the book that cannot be had.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>

static int count = 10;
module_param(count, int, 0444);
MODULE_PARM_DESC(count, "how many books to put on the shelf");

static int fail;
module_param(fail, int, 0444);
MODULE_PARM_DESC(fail, "the book that cannot be had, from 1; 0: none");

struct book {
	struct list_head list;	/* its place on the shelf */
	int number;
	char title[84];
};

static LIST_HEAD(shelf);
static struct kmem_cache *books;

/* A cache that is not shared with others, as some of a book may go to programs. */
static struct kmem_cache *make_cache(void)
{
	return kmem_cache_create_usercopy("shelf_book", sizeof(struct book), 0, 0,
					  offsetof(struct book, title),
					  sizeof_field(struct book, title), NULL);
}

/* A new book from the cache, or NULL. */
static struct book *get_book(int number)
{
	if (number == fail)
		return NULL;
	return kmem_cache_zalloc(books, GFP_KERNEL);
}

/* Takes every book off the shelf and gives it back to the cache. */
static void clear_shelf(void)
{
	/* BEGIN SOLUTION: list_for_each_entry_safe(), list_del(), kmem_cache_free() */
	struct book *book, *next;

	list_for_each_entry_safe(book, next, &shelf, list) {
		list_del(&book->list);
		kmem_cache_free(books, book);
	}
	/* END SOLUTION */
}

static int __init shelf_init(void)
{
	int number;

	books = make_cache();
	if (!books)
		return -ENOMEM;
	for (number = 1; number <= count; number++) {
		struct book *book = get_book(number);

		/* BEGIN SOLUTION: if there is no book, undo it all and return -ENOMEM */
		if (!book) {
			clear_shelf();
			kmem_cache_destroy(books);
			return -ENOMEM;
		}
		/* SKELETON: if (!book) */
		/* SKELETON:	break; */
		/* END SOLUTION */
		book->number = number;
		list_add_tail(&book->list, &shelf);
	}
	return 0;
}

static void __exit shelf_exit(void)
{
	/* BEGIN SOLUTION: give everything back, in reverse order */
	clear_shelf();
	kmem_cache_destroy(books);
	/* SKELETON: clear_shelf(); */
	/* END SOLUTION */
}

module_init(shelf_init);
module_exit(shelf_exit);

MODULE_DESCRIPTION("Objects of one size from a cache of their own");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
