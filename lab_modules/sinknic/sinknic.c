// SPDX-License-Identifier: GPL-2.0
/*
 * sinknic: a network interface, sink0, that takes every packet and drops it. It
 * counts the packets and their bytes, as "ip -s link" shows.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

static struct net_device *sink;

/*
 * The network stack calls this for each packet and gives it away: from then on
 * the driver must see to it that the memory of the packet is freed. The stack
 * lets only one processor at a time in here.
 */
static netdev_tx_t sink_xmit(struct sk_buff *skb, struct net_device *dev)
{
	/*
	 * BEGIN SOLUTION: add 1 to dev->stats.tx_packets and skb->len to
	 * dev->stats.tx_bytes, and free the packet with dev_consume_skb_any()
	 */
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len;
	dev_consume_skb_any(skb);
	/* END SOLUTION */
	return NETDEV_TX_OK;
}

static const struct net_device_ops sink_ops = {
	.ndo_start_xmit		= sink_xmit,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void sink_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &sink_ops;
	dev->flags |= IFF_NOARP;
	eth_hw_addr_random(dev);
}

static int __init sinknic_init(void)
{
	int err;

	sink = alloc_netdev(0, "sink0", NET_NAME_ENUM, sink_setup);
	if (!sink)
		return -ENOMEM;
	err = register_netdev(sink);
	/* BEGIN SOLUTION: give the interface back if it could not be registered */
	if (err)
		free_netdev(sink);
	/* END SOLUTION */
	return err;
}

static void __exit sinknic_exit(void)
{
	/* BEGIN SOLUTION: unregister the interface, then free it */
	unregister_netdev(sink);
	free_netdev(sink);
	/* SKELETON: unregister_netdev(sink); */
	/* END SOLUTION */
}

module_init(sinknic_init);
module_exit(sinknic_exit);

MODULE_DESCRIPTION("A network interface that swallows what it is given");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
