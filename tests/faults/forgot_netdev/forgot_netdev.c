// SPDX-License-Identifier: GPL-2.0
/*
 * forgot_netdev: Leaves its network device behind.
 */

#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>

static netdev_tx_t drop(struct sk_buff *packet, struct net_device *device)
{
	dev_kfree_skb(packet);
	return NETDEV_TX_OK;
}

static const struct net_device_ops operations = { .ndo_start_xmit = drop };

static int __init forgot_netdev_init(void)
{
	struct net_device *device = alloc_etherdev(0); /* HERE */
	int err;

	if (!device)
		return -ENOMEM;
	device->netdev_ops = &operations;
	eth_hw_addr_random(device);
	err = register_netdev(device); /* HERE */
	if (err)
		free_netdev(device);
	return err;
}

static void __exit forgot_netdev_exit(void)
{
	/* DELIBERATE BUG: unregister_netdev() and free_netdev() are missing */
}

module_init(forgot_netdev_init);
module_exit(forgot_netdev_exit);

MODULE_DESCRIPTION("Faulty on purpose: forgot_netdev");
MODULE_LICENSE("GPL");
