# SPDX-License-Identifier: MIT
"""Checks of the exercise ``sinknic``: packets sent into it, its counters, and the memory of the packets."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check

COUNTERS = "/sys/class/net/sink0/statistics"
UP = "sysctl -q net.ipv6.conf.sink0.disable_ipv6=1; ip link set sink0 up; ip address add 10.9.0.1/24 dev sink0"

HINTS = {
    "packets": (
        "Packets went into the interface, and tx_packets does not say how many.",
        "dev->stats.tx_packets++ for each call of sink_xmit().",
    ),
    "bytes": (
        "tx_bytes is not the sum of the packets' lengths.",
        "skb->len is the packet's length, its Ethernet header included. Read it before you give the packet away.",
    ),
    "packet-leak": (
        "The packets were never freed: the sender waits for their memory to come back.",
        "dev_consume_skb_any(skb) at the end of sink_xmit(), on every way out.",
    ),
    "leak": (
        "The interface's own memory was not given back.",
        "unregister_netdev() takes the interface out of the kernel's lists; free_netdev() frees its memory.",
    ),
    "error-leak": (
        "When register_netdev() fails, what alloc_netdev() took must be given back.",
        "if (err) free_netdev(sink); before the return.",
    ),
    "gone": ("After rmmod sink0 is still there.", "unregister_netdev(sink) belongs into the exit function."),
    "oops": (
        "A packet or the interface was used after it had been given away.",
        "Free each packet once, touch nothing of it afterwards, and unregister the interface before you free it.",
    ),
}


def counter(trial: Trial, name: str) -> int:
    """One of the interface's counters."""
    return int(trial.run(f"cat {COUNTERS}/{name}").stdout.strip() or -1)


def send(trial: Trial, count: int, size: int) -> None:
    """Send datagrams of a size to someone behind the interface who never answers."""
    line = f"head -c {size} /dev/zero > /dev/udp/10.9.0.2/9"
    trial.run(f"for i in $(seq {count}); do {line}; done")


@check(points=2, passed="packets and bytes are counted")
def counts(trial: Trial) -> None:
    """Some datagrams of known length."""
    trial.load()
    trial.run(UP)
    packets, octets = counter(trial, "tx_packets"), counter(trial, "tx_bytes")
    count, size = random.randrange(3, 9), random.randrange(100, 1000)
    send(trial, count, size)
    sent = counter(trial, "tx_packets") - packets
    trial.expect(sent == count, "packets", f"{count} packets were sent, tx_packets grew by {sent}")
    grown, wanted = counter(trial, "tx_bytes") - octets, count * (size + 42)
    trial.expect(grown == wanted, "bytes", f"{wanted} bytes were sent, tx_bytes grew by {grown}")


@check(points=2, passed="the memory of every packet is given back")
def frees_packets(trial: Trial) -> None:
    """More than a socket may have under way: the sender would have to wait."""
    trial.load()
    trial.run(UP)
    before = counter(trial, "tx_packets")
    trial.run("exec 5> /dev/udp/10.9.0.2/9; timeout 3 dd if=/dev/zero bs=1400 count=300 status=none >&5")
    sent = counter(trial, "tx_packets") - before
    trial.expect(sent, "packets", "300 packets were sent, and none was counted")
    trial.expect(sent >= 300, "packet-leak", f"after {sent} packets the sender had no more memory for another")


@check(points=2, passed="the interface comes and goes, also when its name is taken, and nothing is left")
def leaves_nothing(trial: Trial) -> None:
    """All of it, then once with the name taken."""
    with trial.no_leak():
        trial.load()
        trial.run(UP)
        trial.unload()
    trial.expect(trial.run("ip link show sink0").exit_status != 0, "gone", "after rmmod sink0 is still there")
    trial.run("ip link add sink0 type dummy")
    with trial.no_leak("error-leak"):
        error = trial.refused()
        trial.expect(error == "EEXIST", "error-leak", f"with sink0 taken insmod said {error or 'that all was well'}")
