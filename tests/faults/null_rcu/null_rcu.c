// SPDX-License-Identifier: GPL-2.0
/*
 * null_rcu: Follows a NULL pointer in an RCU callback.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

struct table {
	struct rcu_head rcu;
	int *slots;
};

static void old_free(struct rcu_head *head)
{
	struct table *table = container_of(head, struct table, rcu);

	/* DELIBERATE BUG: a table may be without slots */
	if (table->slots[0]) /* HERE */
		kfree(table->slots);
	kfree(table);
}

static ssize_t null_rcu_write(struct file *file, const char __user *buffer, size_t count,
			      loff_t *pos)
{
	struct table *table = kzalloc(sizeof(*table), GFP_KERNEL);

	if (!table)
		return -ENOMEM;
	call_rcu(&table->rcu, old_free);
	return count;
}

static const struct file_operations null_rcu_fops = {
	.owner = THIS_MODULE,
	.write = null_rcu_write,
};

static struct miscdevice null_rcu_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "null_rcu",
	.fops = &null_rcu_fops,
};
module_misc_device(null_rcu_device);

MODULE_DESCRIPTION("Faulty on purpose: null_rcu");
MODULE_LICENSE("GPL");
