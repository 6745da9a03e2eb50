// SPDX-License-Identifier: GPL-2.0
/*
 * refcount_revived: Takes a reference to an object whose count is already
 * zero.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kref.h>
#include <linux/module.h>

struct buffer {
	struct kref kref;
};

static struct buffer buffer;

static void buffer_release(struct kref *kref)
{
}

static noinline void buffer_get(struct buffer *this)
{
	kref_get(&this->kref); /* HERE */
	pr_info("%u users\n", kref_read(&this->kref));
}

static int __init refcount_revived_init(void)
{
	kref_init(&buffer.kref);
	kref_put(&buffer.kref, buffer_release);
	/* DELIBERATE BUG: the buffer was released a line above */
	buffer_get(&buffer);
	return 0;
}

static void __exit refcount_revived_exit(void)
{
}

module_init(refcount_revived_init);
module_exit(refcount_revived_exit);

MODULE_DESCRIPTION("Faulty on purpose: refcount_revived");
MODULE_LICENSE("GPL");
