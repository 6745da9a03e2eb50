// SPDX-License-Identifier: GPL-2.0
/*
 * null_sysfs: Copies to a NULL pointer with the kernel's strscpy in the store
 * callback of a sysfs attribute.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/sysfs.h>

struct thing {
	char *label;
};

static struct thing thing;
static struct kobject *folder;

static noinline void label_set(struct thing *this, const char *text)
{
	/* DELIBERATE BUG: there is no memory behind the label */
	if (strscpy(this->label, text, 32) < 0) /* HERE */
		pr_info("the label was cut\n");
}

static ssize_t label_show(struct kobject *object, struct kobj_attribute *attribute, char *buffer)
{
	return sysfs_emit(buffer, "%s\n", thing.label);
}

static ssize_t label_store(struct kobject *object, struct kobj_attribute *attribute,
			   const char *buffer,
			   size_t count)
{
	label_set(&thing, buffer);
	return count;
}

static struct kobj_attribute label_attribute = __ATTR_RW(label);

static int __init null_sysfs_init(void)
{
	int err;

	folder = kobject_create_and_add("null_sysfs", kernel_kobj);
	if (!folder)
		return -ENOMEM;
	err = sysfs_create_file(folder, &label_attribute.attr);
	if (err)
		kobject_put(folder);
	return err;
}

static void __exit null_sysfs_exit(void)
{
	kobject_put(folder);
}

module_init(null_sysfs_init);
module_exit(null_sysfs_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_sysfs");
MODULE_LICENSE("GPL");
