// SPDX-License-Identifier: GPL-2.0
/* Faults on order: echo NAME > /proc/faulty, or insmod faulty.ko start=NAME. For captures of the kernel's reports. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "faulty.h"

static char *start = "";
module_param(start, charp, 0);
MODULE_PARM_DESC(start, "fault to cause when loaded");

void *faulty_null;

static noinline int faulty_run(const struct faulty *faults, const char *name)
{
	for (; faults->name; faults++) {
		if (sysfs_streq(faults->name, name)) {
			faults->run();	/* LINE: run */
			return 1;
		}
	}
	return 0;
}

static ssize_t faulty_write(struct file *file, const char __user *buffer, size_t count, loff_t *where)
{
	char name[32];

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buffer, count))
		return -EFAULT;
	name[count] = '\0';
	if (faulty_run(faulty_memory, name))	/* LINE: write memory */
		return count;
	return faulty_run(faulty_time, name) ? count : -ENOENT;	/* LINE: write time */
}

static const struct proc_ops faulty_ops = {
	.proc_write = faulty_write,
};

static noinline void __init faulty_early(const char *name)
{
	if (!strcmp(name, "init-null"))
		faulty_store(faulty_null, 1);	/* LINE: init-null */
	if (!strcmp(name, "init-warn"))
		WARN(1, "too early for %s\n", name);	/* LINE: init-warn */
}

static int __init faulty_init(void)
{
	faulty_early(start);	/* LINE: init */
	return proc_create("faulty", 0200, NULL, &faulty_ops) ? 0 : -ENOMEM;
}

static void __exit faulty_exit(void)
{
	remove_proc_entry("faulty", NULL);
	if (!strcmp(start, "exit-warn"))
		WARN_ON(1);	/* LINE: exit-warn */
}

module_init(faulty_init);
module_exit(faulty_exit);
MODULE_DESCRIPTION("Causes faults on order");
MODULE_LICENSE("GPL");
