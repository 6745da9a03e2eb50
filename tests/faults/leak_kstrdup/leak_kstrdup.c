// SPDX-License-Identifier: GPL-2.0
/*
 * leak_kstrdup: Replaces a text by a new copy in a parameter's callback
 * without freeing the old one.
 */

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *name;

static int name_set(const char *text, const struct kernel_param *param)
{
	char *copy = kstrdup(text, GFP_KERNEL); /* HERE */

	if (!copy)
		return -ENOMEM;
	/* DELIBERATE BUG: the old name is forgotten */
	name = copy;
	return 0;
}

static int name_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", name ? name : "");
}

static const struct kernel_param_ops name_ops = {
	.set = name_set,
	.get = name_get,
};
module_param_cb(name, &name_ops, &name, 0644);

static int __init leak_kstrdup_init(void)
{
	return 0;
}

static void __exit leak_kstrdup_exit(void)
{
	kfree(name);
}

module_init(leak_kstrdup_init);
module_exit(leak_kstrdup_exit);

MODULE_DESCRIPTION("Faulty on purpose: leak_kstrdup");
MODULE_LICENSE("GPL");
