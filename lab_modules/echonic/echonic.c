// SPDX-License-Identifier: GPL-2.0
/*
 * echonic: a network interface, echo0, with everybody behind it. An IPv4 packet
 * that it is given comes back at once, from its receiver to its sender:
 * whatever address you ping there, it answers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/ip.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

static struct net_device *echo;

/*
 * Turn the IP addresses of a packet round, and let go of what ties it to its
 * sender: socket and route. Returns false if it is not an IPv4 packet.
 */
static bool echo_turn(struct sk_buff *skb)
{
	struct iphdr *ip;

	if (skb->protocol != htons(ETH_P_IP) ||
	    skb_ensure_writable(skb, ETH_HLEN + sizeof(*ip)))
		return false;
	ip = (struct iphdr *)(skb->data + ETH_HLEN);
	swap(ip->saddr, ip->daddr);
	skb_orphan(skb);
	skb_scrub_packet(skb, false);
	return true;
}

/* The network stack gives a packet away. At skb->data its Ethernet header begins. */
static netdev_tx_t echo_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct ethhdr *eth;
	u8 sender[ETH_ALEN];

	if (!echo_turn(skb)) {
		/*
		 * BEGIN SOLUTION: nobody answers: count it in
		 * dev->stats.tx_dropped (only there), and free it with kfree_skb()
		 */
		dev->stats.tx_dropped++;
		kfree_skb(skb);
		/* END SOLUTION */
		return NETDEV_TX_OK;
	}
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len;

	eth = (struct ethhdr *)skb->data;
	ether_addr_copy(sender, eth->h_source);
	/* BEGIN SOLUTION: swap eth->h_source and eth->h_dest */
	ether_addr_copy(eth->h_source, eth->h_dest);
	ether_addr_copy(eth->h_dest, sender);
	/* SKELETON: ether_addr_copy(eth->h_source, sender); */
	/* END SOLUTION */

	/*
	 * BEGIN SOLUTION: receive it. Count it in dev->stats.rx_packets and
	 * rx_bytes; take its Ethernet header off, with skb->protocol =
	 * eth_type_trans(skb, dev); give it to the stack, with netif_rx(skb)
	 */
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len;
	skb->protocol = eth_type_trans(skb, dev);
	netif_rx(skb);
	/* SKELETON: kfree_skb(skb); */
	/* END SOLUTION */
	return NETDEV_TX_OK;
}

static const struct net_device_ops echo_ops = {
	.ndo_start_xmit		= echo_xmit,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void echo_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &echo_ops;
	dev->flags |= IFF_NOARP;	/* nobody there to ask for an address */
	eth_hw_addr_random(dev);
}

static int __init echonic_init(void)
{
	int err;

	echo = alloc_netdev(0, "echo0", NET_NAME_ENUM, echo_setup);
	if (!echo)
		return -ENOMEM;
	err = register_netdev(echo);
	if (err)
		free_netdev(echo);
	return err;
}

static void __exit echonic_exit(void)
{
	unregister_netdev(echo);
	free_netdev(echo);
}

module_init(echonic_init);
module_exit(echonic_exit);

MODULE_DESCRIPTION("A network interface behind which everybody answers");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
