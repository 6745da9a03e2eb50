// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_notifier: Leaves a notifier of network devices behind, and a device
 * changes after it is gone.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>

static int event(struct notifier_block *block, unsigned long what, void *data)
{
	return NOTIFY_DONE;
}

static struct notifier_block block = { .notifier_call = event };

static int __init forgot_notifier_init(void)
{
	return register_netdevice_notifier(&block);
}

static void __exit forgot_notifier_exit(void)
{
	/* DELIBERATE BUG: unregister_netdevice_notifier() is missing */
}

module_init(forgot_notifier_init);
module_exit(forgot_notifier_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_notifier");
MODULE_LICENSE("GPL");
