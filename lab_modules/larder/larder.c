// SPDX-License-Identifier: GPL-2.0
/*
 * larder: holds objects of one size from kmalloc(), from a cache of its own, or
 * from vmalloc(), so that it can be seen what each of them costs.
 *
 * How and how large is said first; writing a number to "count" then makes so
 * many objects, in the place of those that were there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>

#define MOST_OBJECTS 4096
#define LARGEST 65536

enum way { KMALLOC, CACHE, VMALLOC };

static const char * const way_names[] = { "kmalloc", "cache", "vmalloc" };

static DEFINE_MUTEX(larder_lock);	/* guards all below */
static void *objects[MOST_OBJECTS];
static int number;			/* of objects */
static enum way made_by;		/* them */
static struct kmem_cache *cache;	/* of them, if CACHE */

static enum way how = KMALLOC;
static uint size = 64;

static uint ns;
module_param(ns, uint, 0444);
MODULE_PARM_DESC(ns, "nanoseconds that making one took (to be read only)");

static void *get_one(void)
{
	switch (made_by) {
	case KMALLOC:
		return kmalloc(size, GFP_KERNEL);
	case CACHE:
		return kmem_cache_alloc(cache, GFP_KERNEL);
	default:
		return vmalloc(size);
	}
}

static void put_one(void *object)
{
	switch (made_by) {
	case KMALLOC:
		kfree(object);
		break;
	case CACHE:
		kmem_cache_free(cache, object);
		break;
	default:
		vfree(object);
	}
}

static void clear(void)
{
	while (number)
		put_one(objects[--number]);
	kmem_cache_destroy(cache);	/* which may be NULL */
	cache = NULL;
}

static int fill(int wanted)
{
	u64 begin;

	made_by = how;
	if (made_by == CACHE) {
		cache = kmem_cache_create("larder", size, 0, 0, NULL);
		if (!cache)
			return -ENOMEM;
	}
	begin = ktime_get_ns();
	while (number < wanted) {
		objects[number] = get_one();
		if (!objects[number]) {
			clear();
			return -ENOMEM;
		}
		number++;
	}
	ns = div_u64(ktime_get_ns() - begin, wanted);
	return 0;
}

static int how_set(const char *text, const struct kernel_param *param)
{
	int found = sysfs_match_string(way_names, text);

	if (found < 0)
		return found;
	mutex_lock(&larder_lock);
	how = found;
	mutex_unlock(&larder_lock);
	return 0;
}

static int how_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%s\n", way_names[READ_ONCE(how)]);
}

static const struct kernel_param_ops how_ops = {
	.set = how_set,
	.get = how_get,
};
module_param_cb(how, &how_ops, NULL, 0644);
MODULE_PARM_DESC(how, "kmalloc, cache or vmalloc");

static int size_set(const char *text, const struct kernel_param *param)
{
	uint wanted;
	int err = kstrtouint(text, 0, &wanted);

	if (err)
		return err;
	if (wanted < 1 || wanted > LARGEST)
		return -EINVAL;
	mutex_lock(&larder_lock);
	size = wanted;
	mutex_unlock(&larder_lock);
	return 0;
}

static const struct kernel_param_ops size_ops = {
	.set = size_set,
	.get = param_get_uint,
};
module_param_cb(size, &size_ops, &size, 0644);
MODULE_PARM_DESC(size, "bytes of an object, 1 to 65536");

static int count_set(const char *text, const struct kernel_param *param)
{
	uint wanted;
	int err = kstrtouint(text, 0, &wanted);

	if (err)
		return err;
	if (wanted > MOST_OBJECTS)
		return -EINVAL;
	mutex_lock(&larder_lock);
	clear();
	if (wanted)
		err = fill(wanted);
	mutex_unlock(&larder_lock);
	return err;
}

static int count_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", READ_ONCE(number));
}

static const struct kernel_param_ops count_ops = {
	.set = count_set,
	.get = count_get,
};
module_param_cb(count, &count_ops, NULL, 0644);
MODULE_PARM_DESC(count, "how many objects to hold, up to 4096");

static int __init larder_init(void)
{
	return 0;
}

static void __exit larder_exit(void)
{
	clear();
}

module_init(larder_init);
module_exit(larder_exit);

MODULE_DESCRIPTION("Holds objects from kmalloc, a cache or vmalloc, to see what they cost");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
