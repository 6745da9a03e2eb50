// SPDX-License-Identifier: GPL-2.0
/*
 * $name: a network interface that counts what is sent through it, and drops it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/netdevice.h>

static struct net_device *${name}_device;

/* The stack wants a packet sent. Whoever holds it passes it on or frees it. */
static netdev_tx_t ${name}_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	consume_skb(skb);
	return NETDEV_TX_OK;
}

static int ${name}_dev_init(struct net_device *dev)
{
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	return dev->tstats ? 0 : -ENOMEM;
}

static void ${name}_dev_uninit(struct net_device *dev)
{
	free_percpu(dev->tstats);
}

static const struct net_device_ops ${name}_netdev_ops = {
	.ndo_init		= ${name}_dev_init,
	.ndo_uninit		= ${name}_dev_uninit,
	.ndo_start_xmit		= ${name}_xmit,
	.ndo_get_stats64	= dev_get_tstats64,	/* sums over the CPUs */
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static int __init ${name}_init(void)
{
	int err;

	${name}_device = alloc_netdev(0, "lab%d", NET_NAME_ENUM, ether_setup);
	if (!${name}_device)
		return -ENOMEM;
	${name}_device->netdev_ops = &${name}_netdev_ops;
	eth_hw_addr_random(${name}_device);
	err = register_netdev(${name}_device);
	if (err)
		free_netdev(${name}_device);
	return err;
}

static void __exit ${name}_exit(void)
{
	unregister_netdev(${name}_device);
	free_netdev(${name}_device);
}

module_init(${name}_init);
module_exit(${name}_exit);

MODULE_DESCRIPTION("A network interface that counts packets and drops them");
MODULE_LICENSE("GPL");
