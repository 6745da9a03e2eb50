// SPDX-License-Identifier: GPL-2.0
/*
 * null_notifier: Calls through a NULL pointer in a notifier of network
 * devices.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>

struct listener {
	void (*changed)(struct net_device *device);
};

static struct listener listener;

static int device_event(struct notifier_block *block, unsigned long event, void *data)
{
	if (event == NETDEV_CHANGEMTU) {
		/* DELIBERATE BUG: nobody has set the function */
		listener.changed(netdev_notifier_info_to_dev(data)); /* HERE */
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

static struct notifier_block block = { .notifier_call = device_event };

static int __init null_notifier_init(void)
{
	return register_netdevice_notifier(&block);
}

static void __exit null_notifier_exit(void)
{
	unregister_netdevice_notifier(&block);
}

module_init(null_notifier_init);
module_exit(null_notifier_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_notifier");
MODULE_LICENSE("GPL");
