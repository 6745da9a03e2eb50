# SPDX-License-Identifier: MIT
"""Checks of the exercise ``echonic``: pings, counters, and packets that nobody answers."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check

COUNTERS = "/sys/class/net/echo0/statistics"
UP = "sysctl -q net.ipv6.conf.echo0.disable_ipv6=1; ip link set echo0 up; ip address add 10.9.0.1/24 dev echo0"
UP6 = (
    "sysctl -q net.ipv6.conf.echo0.accept_dad=0; ip link set echo0 up; ip -6 address add fd09::1/64 dev echo0 nodad;"
    "ip -6 neighbour replace fd09::2 lladdr 02:00:00:00:00:02 dev echo0 nud permanent"
)

HINTS = {
    "received": (
        "rx_packets says that nothing was received. What is sent must come back.",
        "dev->stats.rx_packets++, and netif_rx(skb) at the end.",
    ),
    "type": (
        "The packets came back, and the stack threw them away: it took the Ethernet header for the IP header.",
        "skb->protocol = eth_type_trans(skb, dev) takes the Ethernet header off; before netif_rx().",
    ),
    "mac": (
        "The stack only takes packets whose Ethernet header names this interface as the receiver.",
        "Two copies with ether_addr_copy(to, from): h_source gets h_dest, then h_dest gets sender.",
    ),
    "packets": ("As many packets as were sent came back, so rx_packets must grow like tx_packets.",),
    "bytes": (
        "rx_bytes does not go with tx_bytes: the Ethernet header counts on both sides.",
        "eth_type_trans() takes the header off: read skb->len before it.",
    ),
    "dropped": (
        "A packet that is not IPv4 is dropped, and the counter for that is tx_dropped. It was not sent.",
        "dev->stats.tx_dropped++, and neither tx_packets nor rx_packets.",
    ),
    "packet-leak": (
        "The dropped packets were never freed: the sender waits for their memory to come back.",
        "kfree_skb(skb) before the return; whoever drops a packet must free it.",
    ),
    "oops": (
        "A packet was used after it had been given away.",
        "netif_rx() takes the packet: touch nothing of it afterwards, and do not free it.",
    ),
}


def counter(trial: Trial, name: str) -> int:
    """One of the interface's counters."""
    return int(trial.run(f"cat {COUNTERS}/{name}").stdout.strip() or -1)


def answers(trial: Trial, address: str, more: str = "") -> int:
    """How many of three pings are answered."""
    said = trial.run(f"ping -n -c 3 -i 0.2 -W 1 {more} {address}").stdout
    return int(said.partition(" received")[0].rpartition(" ")[2] or 0) if " received" in said else 0


@check(points=3, passed="whoever is pinged behind it answers, whatever their Ethernet address")
def gives_back(trial: Trial) -> None:
    """Someone whose address nobody knows, then someone with an Ethernet address of their own."""
    trial.load()
    trial.run(UP)
    got = answers(trial, f"10.9.0.{random.randrange(3, 250)}")
    trial.expect(counter(trial, "rx_packets") > 0, "received", f"{got} of 3 pings came back, and rx_packets is 0")
    trial.expect(got == 3, "type", f"{got} of 3 pings came back")
    trial.run("ip neighbour replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev echo0 nud permanent")
    got = answers(trial, "10.9.0.2")
    trial.expect(got == 3, "mac", f"{got} of 3 pings to someone with the Ethernet address 02:…:02 came back")


@check(points=2, passed="packets and bytes are counted on the way back as on the way out")
def counts(trial: Trial) -> None:
    """A few pings of a size."""
    trial.load()
    trial.run(UP)
    size = random.randrange(100, 1400)
    got = answers(trial, "10.9.0.9", f"-s {size}")
    sent, received = counter(trial, "tx_packets"), counter(trial, "rx_packets")
    trial.expect(received > 0, "received", f"{sent} packets were sent, and rx_packets is 0")
    trial.expect(sent == received, "packets", f"tx_packets is {sent}, rx_packets {received}")
    sent, received = counter(trial, "tx_bytes"), counter(trial, "rx_bytes")
    trial.expect(sent == received, "bytes", f"tx_bytes is {sent}, rx_bytes {received}")
    trial.expect(got == 3, "type", f"{got} of 3 pings came back")


@check(points=2, passed="what is not IPv4 is dropped, counted, and its memory given back")
def drops(trial: Trial) -> None:
    """More IPv6 packets than a socket may have under way: the sender would have to wait."""
    trial.load()
    trial.run(UP6)
    trial.run("exec 5> /dev/udp/fd09::2/9; timeout 3 dd if=/dev/zero bs=1300 count=300 status=none >&5")
    dropped = counter(trial, "tx_dropped")
    trial.expect(dropped > 0, "dropped", "300 IPv6 packets were sent, and tx_dropped is 0")
    trial.expect(dropped >= 300, "packet-leak", f"after {dropped} packets the sender had no more memory for another")
    sent = counter(trial, "tx_packets") + counter(trial, "rx_packets")
    trial.expect(sent == 0, "dropped", f"only IPv6 packets were sent, but {sent} were counted as sent or received")
