// SPDX-License-Identifier: GPL-2.0
/*
 * loopnic: two network interfaces on one cable. What loopnic0 sends, loopnic1
 * receives, and the other way round. There is no hardware, but all the parts of
 * a driver for hardware:
 *
 *   the network stack                               the network stack
 *         | loopnic_xmit()                                  ^
 *         v                                                 | loopnic_poll()
 *   [loopnic0] -- the packet goes into the ring of --> [loopnic1]
 *
 * A packet is a struct sk_buff ("skb"). Whoever holds it passes it on or frees
 * it. See Documentation/networking/netdevices.rst, and for the ring
 * Documentation/core-api/circular-buffers.rst.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/circ_buf.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/slab.h>

static unsigned int ring = 256;
module_param(ring, uint, 0444);
MODULE_PARM_DESC(ring, "places in each receive ring, a power of two, 2 to 65536");

/* What "ethtool -S" shows; the order is that of the strings below. */
enum { TX_RING_FULL, RX_SCHEDULED, RX_POLLS, RX_BUDGET_SPENT, RX_WAITING, COUNTERS };

static const char loopnic_strings[COUNTERS][ETH_GSTRING_LEN] = {
	"tx_ring_full",		/* times that the peer's ring made us stop */
	"rx_scheduled",		/* times that the peer rang the bell */
	"rx_polls",		/* times that the kernel called loopnic_poll() */
	"rx_budget_spent",	/* polls that ended before the ring was empty */
	"rx_waiting",		/* packets in the ring now */
};

/*
 * What each interface has of its own. The ring has one writer (the peer's
 * loopnic_xmit(); the kernel lets only one CPU at a time into it) and one
 * reader (our loopnic_poll()), and so needs no lock: "head" belongs to the
 * writer, "tail" to the reader. One place stays empty: head == tail is "empty".
 */
struct loopnic {
	struct net_device *peer;
	struct napi_struct napi;
	struct sk_buff **slots;
	unsigned int head;
	unsigned int tail;
	u64 counters[COUNTERS];
};

static struct net_device *loopnic_devices[2];

static bool loopnic_full(struct loopnic *receiver)
{
	/* Acquire: see the place empty only after the reader has emptied it. */
	return !CIRC_SPACE(receiver->head, smp_load_acquire(&receiver->tail), ring);
}

/*
 * Flow control: make the stack keep its packets while the ring is full. The
 * reader may just have made room without seeing us stopped: so look twice.
 */
static bool loopnic_stop_if_full(struct net_device *dev, struct loopnic *receiver)
{
	struct loopnic *self = netdev_priv(dev);

	if (!loopnic_full(receiver))
		return false;
	netif_stop_queue(dev);
	/* Stop, then look: pairs with the barrier in loopnic_poll(). */
	smp_mb__after_atomic();
	if (!loopnic_full(receiver)) {
		netif_start_queue(dev);
		return false;
	}
	self->counters[TX_RING_FULL]++;
	return true;
}

/*
 * The stack wants a packet sent. Sleeping is forbidden here: we are in a
 * softirq, or at least with softirqs switched off.
 */
static netdev_tx_t loopnic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct net_device *peer = ((struct loopnic *)netdev_priv(dev))->peer;
	struct loopnic *receiver = netdev_priv(peer);
	unsigned int length = skb->len;

	if (!netif_running(peer)) {
		dev_core_stats_tx_dropped_inc(dev);
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	if (loopnic_stop_if_full(dev, receiver))
		return NETDEV_TX_BUSY;	/* the stack keeps the skb and tries again */

	/*
	 * To the other interface, perhaps in another network namespace: forget
	 * routes and marks, read the Ethernet header, and drop (and count) what
	 * is longer than the receiver's MTU.
	 */
	skb_tx_timestamp(skb);
	if (__dev_forward_skb(peer, skb) != NET_RX_SUCCESS)
		return NETDEV_TX_OK;
	receiver->slots[receiver->head] = skb;
	/* Release: publish the place only after it has been filled. */
	smp_store_release(&receiver->head, (receiver->head + 1) & (ring - 1));
	dev_sw_netstats_tx_add(dev, 1, length);
	loopnic_stop_if_full(dev, receiver);

	/* Ring the bell: hardware would raise an interrupt here. */
	if (napi_schedule_prep(&receiver->napi)) {
		receiver->counters[RX_SCHEDULED]++;
		__napi_schedule(&receiver->napi);
	}
	return NETDEV_TX_OK;
}

static struct sk_buff *loopnic_take(struct loopnic *self)
{
	unsigned int tail = self->tail;
	struct sk_buff *skb;

	/* Acquire: look into the place only after the writer has filled it. */
	if (!CIRC_CNT(smp_load_acquire(&self->head), tail, ring))
		return NULL;
	skb = self->slots[tail];
	/* Release: give the place back only after it has been read. */
	smp_store_release(&self->tail, (tail + 1) & (ring - 1));
	return skb;
}

/*
 * NAPI: rather than one interrupt for each packet, the first one schedules this
 * function, which takes up to "budget" packets. Returning less than the budget
 * after napi_complete_done() means "the ring is empty, ring the bell again";
 * returning the budget means "there is more, call me again soon".
 */
static int loopnic_poll(struct napi_struct *napi, int budget)
{
	struct loopnic *self = container_of(napi, struct loopnic, napi);
	struct net_device *dev = napi->dev;
	struct sk_buff *skb;
	int done = 0;

	self->counters[RX_POLLS]++;
	while (done < budget) {
		skb = loopnic_take(self);
		if (!skb)
			break;
		dev_sw_netstats_rx_add(dev, skb->len + ETH_HLEN);
		napi_gro_receive(napi, skb);	/* up into the stack */
		done++;
	}

	/* Make room, then look: pairs with loopnic_stop_if_full(). */
	smp_mb();
	if (netif_queue_stopped(self->peer) && netif_running(self->peer))
		netif_wake_queue(self->peer);

	if (done == budget)
		self->counters[RX_BUDGET_SPENT]++;
	else
		napi_complete_done(napi, done);	/* a bell missed meanwhile counts */
	return done;
}

/* "ip link set loopnic0 up": there is a carrier while both ends are up. */
static int loopnic_open(struct net_device *dev)
{
	struct loopnic *self = netdev_priv(dev);

	napi_enable(&self->napi);
	netif_start_queue(dev);
	if (netif_running(self->peer)) {
		netif_carrier_on(dev);
		netif_carrier_on(self->peer);
		netif_wake_queue(self->peer);	/* its packets have a place again */
	}
	return 0;
}

static int loopnic_stop(struct net_device *dev)
{
	struct loopnic *self = netdev_priv(dev);
	struct sk_buff *skb;

	netif_stop_queue(dev);
	netif_carrier_off(dev);
	netif_carrier_off(self->peer);
	/* The peer sees that we do not run; wait for one that just looked. */
	synchronize_net();
	napi_disable(&self->napi);
	while ((skb = loopnic_take(self)))
		kfree_skb(skb);
	return 0;
}

/* The ring and the per-CPU counters of packets and bytes come with the device. */
static int loopnic_dev_init(struct net_device *dev)
{
	struct loopnic *self = netdev_priv(dev);

	self->slots = kvcalloc(ring, sizeof(*self->slots), GFP_KERNEL);
	if (!self->slots)
		return -ENOMEM;
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats) {
		kvfree(self->slots);
		return -ENOMEM;
	}
	return 0;
}

static void loopnic_dev_uninit(struct net_device *dev)
{
	struct loopnic *self = netdev_priv(dev);

	free_percpu(dev->tstats);
	kvfree(self->slots);
}

static const struct net_device_ops loopnic_netdev_ops = {
	.ndo_init		= loopnic_dev_init,
	.ndo_uninit		= loopnic_dev_uninit,
	.ndo_open		= loopnic_open,
	.ndo_stop		= loopnic_stop,
	.ndo_start_xmit		= loopnic_xmit,
	.ndo_get_stats64	= dev_get_tstats64,	/* sums over the CPUs */
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static void loopnic_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
}

static int loopnic_get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? COUNTERS : -EOPNOTSUPP;
}

static void loopnic_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	if (set == ETH_SS_STATS)
		memcpy(data, loopnic_strings, sizeof(loopnic_strings));
}

static void loopnic_get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct loopnic *self = netdev_priv(dev);
	int i;

	for (i = 0; i < COUNTERS; i++)
		data[i] = READ_ONCE(self->counters[i]);
	data[RX_WAITING] = CIRC_CNT(READ_ONCE(self->head), READ_ONCE(self->tail), ring);
}

static const struct ethtool_ops loopnic_ethtool_ops = {
	.get_drvinfo		= loopnic_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_sset_count		= loopnic_get_sset_count,
	.get_strings		= loopnic_get_strings,
	.get_ethtool_stats	= loopnic_get_stats,
};

static struct net_device *loopnic_create(void)
{
	struct net_device *dev = alloc_netdev(sizeof(struct loopnic), "loopnic%d",
					      NET_NAME_ENUM, ether_setup);
	struct loopnic *self;

	if (!dev)
		return NULL;
	self = netdev_priv(dev);
	dev->netdev_ops = &loopnic_netdev_ops;
	dev->ethtool_ops = &loopnic_ethtool_ops;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->max_mtu = ETH_MAX_MTU;	/* the kernel checks "ip link set mtu" */
	eth_hw_addr_random(dev);
	netif_napi_add(dev, &self->napi, loopnic_poll);
	netif_carrier_off(dev);
	return dev;
}

static int __init loopnic_init(void)
{
	struct net_device **dev = loopnic_devices;
	int err = -ENOMEM;

	if (ring < 2 || ring > 65536 || !is_power_of_2(ring)) {
		pr_err("ring=%u is not a power of two from 2 to 65536\n", ring);
		return -EINVAL;
	}
	dev[0] = loopnic_create();
	if (!dev[0])
		return err;
	dev[1] = loopnic_create();
	if (!dev[1])
		goto free_first;
	((struct loopnic *)netdev_priv(dev[0]))->peer = dev[1];
	((struct loopnic *)netdev_priv(dev[1]))->peer = dev[0];

	/* From here on users see the device, and may bring it up at once. */
	err = register_netdev(dev[0]);
	if (err)
		goto free_second;
	err = register_netdev(dev[1]);
	if (err)
		goto unregister_first;
	return 0;

unregister_first:
	unregister_netdev(dev[0]);
free_second:
	free_netdev(dev[1]);
free_first:
	free_netdev(dev[0]);
	return err;
}

/*
 * An interface that is up does not hold its module: unregister_netdev() takes
 * it down and waits until nobody looks at it any more. Neither is freed before
 * both are gone, because until then each may still look at the other.
 */
static void __exit loopnic_exit(void)
{
	unregister_netdev(loopnic_devices[0]);
	unregister_netdev(loopnic_devices[1]);
	free_netdev(loopnic_devices[1]);
	free_netdev(loopnic_devices[0]);
}

module_init(loopnic_init);
module_exit(loopnic_exit);

MODULE_DESCRIPTION("Two network interfaces on one cable");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
