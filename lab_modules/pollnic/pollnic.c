// SPDX-License-Identifier: GPL-2.0
/*
 * pollnic: a network interface, poll0, that gives each IPv4 packet back to its
 * sender, and receives by NAPI: what has come waits in a queue, and the kernel
 * calls pollnic_poll() to fetch it.
 *
 * With hold=Y it collects packets without ringing the bell, as network cards do
 * to save interrupts; the first packet after that rings for all.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/ip.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

static bool hold;
module_param(hold, bool, 0644);
MODULE_PARM_DESC(hold, "collect packets and do not ring the bell");

struct pollnic {
	struct napi_struct napi;
	struct sk_buff_head queue;	/* has a lock of its own */
};

static struct net_device *poll;

/* Turn the addresses of a packet round; false if it is not an IPv4 packet. */
static bool pollnic_turn(struct sk_buff *skb)
{
	struct ethhdr *eth;
	struct iphdr *ip;
	u8 sender[ETH_ALEN];

	if (skb->protocol != htons(ETH_P_IP) ||
	    skb_ensure_writable(skb, ETH_HLEN + sizeof(*ip)))
		return false;
	eth = (struct ethhdr *)skb->data;
	ether_addr_copy(sender, eth->h_source);
	ether_addr_copy(eth->h_source, eth->h_dest);
	ether_addr_copy(eth->h_dest, sender);
	ip = (struct iphdr *)(skb->data + ETH_HLEN);
	swap(ip->saddr, ip->daddr);
	skb_orphan(skb);
	skb_scrub_packet(skb, false);
	return true;
}

static netdev_tx_t pollnic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct pollnic *nic = netdev_priv(dev);

	if (!pollnic_turn(skb)) {
		dev->stats.tx_dropped++;
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len;
	skb_queue_tail(&nic->queue, skb);
	if (!READ_ONCE(hold))
		napi_schedule(&nic->napi);	/* ring, unless it rings already */
	return NETDEV_TX_OK;
}

/*
 * The kernel calls this after the bell was rung, and lets it take at most budget
 * packets. Packets that come meanwhile do not ring.
 */
static int pollnic_poll(struct napi_struct *napi, int budget)
{
	struct pollnic *nic = container_of(napi, struct pollnic, napi);
	struct net_device *dev = napi->dev;
	struct sk_buff *skb;
	int done = 0;

	/*
	 * BEGIN SOLUTION: while fewer than budget are done, take a packet with
	 * skb = skb_dequeue(&nic->queue), which is NULL when the queue is empty.
	 * Count it in dev->stats.rx_packets and in done; then, as for every
	 * packet received: skb->protocol = eth_type_trans(skb, dev), and
	 * napi_gro_receive(napi, skb) hands it to the stack.
	 *
	 * Fewer than budget: napi_complete_done(napi, done) says that the bell
	 * may ring again. Exactly budget: do not, and the kernel calls again.
	 */
	while (done < budget) {
		skb = skb_dequeue(&nic->queue);
		if (!skb)
			break;
		dev->stats.rx_packets++;
		dev->stats.rx_bytes += skb->len;
		skb->protocol = eth_type_trans(skb, dev);
		napi_gro_receive(napi, skb);
		done++;
	}
	if (done < budget)
		napi_complete_done(napi, done);
	/* SKELETON: while ((skb = skb_dequeue(&nic->queue))) { */
	/* SKELETON:	dev->stats.rx_dropped++; */
	/* SKELETON:	dev_kfree_skb(skb); */
	/* SKELETON: } */
	/* SKELETON: napi_complete_done(napi, done); */
	/* END SOLUTION */
	return done;
}

/* "ip link set poll0 up" */
static int pollnic_open(struct net_device *dev)
{
	struct pollnic *nic = netdev_priv(dev);

	/* BEGIN SOLUTION: from now on the kernel may poll: napi_enable() */
	napi_enable(&nic->napi);
	/* SKELETON: (void)nic; */
	/* END SOLUTION */
	netif_start_queue(dev);
	return 0;
}

/* "ip link set poll0 down"; the kernel does it too before the interface goes. */
static int pollnic_stop(struct net_device *dev)
{
	struct pollnic *nic = netdev_priv(dev);

	netif_stop_queue(dev);
	/* BEGIN SOLUTION: no polls from now on, and wait for a running one: napi_disable() */
	napi_disable(&nic->napi);
	/* END SOLUTION */
	skb_queue_purge(&nic->queue);
	return 0;
}

static const struct net_device_ops pollnic_ops = {
	.ndo_open		= pollnic_open,
	.ndo_stop		= pollnic_stop,
	.ndo_start_xmit		= pollnic_xmit,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void pollnic_setup(struct net_device *dev)
{
	struct pollnic *nic = netdev_priv(dev);

	ether_setup(dev);
	dev->netdev_ops = &pollnic_ops;
	dev->flags |= IFF_NOARP;
	eth_hw_addr_random(dev);
	skb_queue_head_init(&nic->queue);
}

static int __init pollnic_init(void)
{
	struct pollnic *nic;
	int err;

	poll = alloc_netdev(sizeof(*nic), "poll0", NET_NAME_ENUM, pollnic_setup);
	if (!poll)
		return -ENOMEM;
	nic = netdev_priv(poll);
	netif_napi_add(poll, &nic->napi, pollnic_poll);
	err = register_netdev(poll);
	if (err)
		free_netdev(poll);
	return err;
}

static void __exit pollnic_exit(void)
{
	unregister_netdev(poll);
	free_netdev(poll);
}

module_init(pollnic_init);
module_exit(pollnic_exit);

MODULE_DESCRIPTION("A network interface that receives by NAPI");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
