// SPDX-License-Identifier: GPL-2.0
/*
 * null_xmit: Follows a NULL pointer while a network device sends a packet.
 */

#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>

struct sink {
	unsigned long *bytes;
};

static struct net_device *sink;

static noinline void account(struct sink *this, unsigned int length)
{
	/* DELIBERATE BUG: the counter was never allocated */
	*this->bytes += length; /* HERE */
}

static netdev_tx_t sink_xmit(struct sk_buff *packet, struct net_device *device)
{
	account(netdev_priv(device), packet->len);
	dev_kfree_skb(packet);
	return NETDEV_TX_OK;
}

static const struct net_device_ops sink_ops = { .ndo_start_xmit = sink_xmit };

static int __init null_xmit_init(void)
{
	int err;

	sink = alloc_netdev(sizeof(struct sink), "sink%d", NET_NAME_UNKNOWN, ether_setup);
	if (!sink)
		return -ENOMEM;
	sink->netdev_ops = &sink_ops;
	eth_hw_addr_random(sink);
	err = register_netdev(sink);
	if (err)
		free_netdev(sink);
	return err;
}

static void __exit null_xmit_exit(void)
{
	unregister_netdev(sink);
	free_netdev(sink);
}

module_init(null_xmit_init);
module_exit(null_xmit_exit);

MODULE_DESCRIPTION("Faulty on purpose: null_xmit");
MODULE_LICENSE("GPL");
