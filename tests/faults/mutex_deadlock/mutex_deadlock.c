// SPDX-License-Identifier: GPL-2.0
/*
 * mutex_deadlock: Takes a mutex that it holds, in a helper of a sysfs
 * attribute's show().
 */

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>

static DEFINE_MUTEX(lock);
static struct kobject *folder;
static int value;

static noinline int value_get(void)
{
	int copy;

	/* DELIBERATE BUG: the caller holds the lock */
	mutex_lock(&lock); /* HERE */
	copy = value;
	mutex_unlock(&lock);
	return copy;
}

static ssize_t value_show(struct kobject *object, struct kobj_attribute *attribute, char *buffer)
{
	ssize_t length;

	mutex_lock(&lock);
	length = sysfs_emit(buffer, "%d\n", value_get());
	mutex_unlock(&lock);
	return length;
}

static struct kobj_attribute value_attribute = __ATTR_RO(value);

static int __init mutex_deadlock_init(void)
{
	int err;

	folder = kobject_create_and_add("mutex_deadlock", kernel_kobj);
	if (!folder)
		return -ENOMEM;
	err = sysfs_create_file(folder, &value_attribute.attr);
	if (err)
		kobject_put(folder);
	return err;
}

static void __exit mutex_deadlock_exit(void)
{
	kobject_put(folder);
}

module_init(mutex_deadlock_init);
module_exit(mutex_deadlock_exit);

MODULE_DESCRIPTION("Faulty on purpose: mutex_deadlock");
MODULE_LICENSE("GPL");
