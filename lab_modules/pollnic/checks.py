# SPDX-License-Identifier: MIT
"""Checks of the exercise ``pollnic``: pings, a burst, what the kernel's tracepoint says of each poll, up and down."""

from __future__ import annotations

import random
import re

from kmodlab.course import Trial, check

COUNTERS = "/sys/class/net/poll0/statistics"
UP = "sysctl -q net.ipv6.conf.poll0.disable_ipv6=1; ip link set poll0 up; ip address add 10.9.0.1/24 dev poll0"
TRACE = "/sys/kernel/tracing"
HOLD = "/sys/module/pollnic/parameters/hold"

HINTS = {
    "received": (
        "rx_packets says that nothing was received. Is the poll function called, and does it take what waits?",
        "napi_enable() in pollnic_open(); in the poll function dev->stats.rx_packets++ for each packet.",
    ),
    "stack": (
        "Packets were counted as received, and the stack did not get them.",
        "skb->protocol = eth_type_trans(skb, dev), then napi_gro_receive(napi, skb).",
    ),
    "once": (
        "The first packets came through, and no others: the bell did not ring again.",
        "napi_complete_done(napi, done) when fewer than budget are done.",
    ),
    "budget": (
        "One poll took more packets than its budget, and all others had to wait for it.",
        "while (done < budget): the limit is part of the loop.",
    ),
    "rest": (
        "When more packets wait than one poll may take, the rest must be fetched by the next one.",
        "Exactly budget done: return budget and do not call napi_complete_done(); the kernel then calls again.",
    ),
    "work": (
        "The poll function must return how many packets it has taken: the kernel shares its time by that.",
        "done++ for each packet, and return done.",
    ),
    "hang": (
        "Taking the interface down waits for the end of a poll that never ends.",
        "napi_complete_done() ends a poll; napi_enable() and napi_disable() belong together, in open and in stop.",
    ),
    "oops": (
        "The kernel found NAPI in a state in which it must not be.",
        "napi_enable() in pollnic_open(), napi_disable() in pollnic_stop(): once each.",
    ),
}


def counter(trial: Trial, name: str) -> int:
    """One of the interface's counters."""
    return int(trial.run(f"cat {COUNTERS}/{name}").stdout.strip() or -1)


def answers(trial: Trial) -> int:
    """How many of three pings are answered."""
    said = trial.run("ping -n -c 3 -i 0.2 -W 1 10.9.0.2").stdout
    found = re.search(r"(\d+) received", said)
    return int(found[1]) if found else 0


@check(points=2, passed="packets come through, one after the other")
def receives(trial: Trial) -> None:
    """A few pings; each is two packets."""
    trial.load()
    trial.run(UP)
    got, received = answers(trial), counter(trial, "rx_packets")
    trial.expect(received > 0, "received", f"{got} of 3 pings came back, and rx_packets is 0")
    sent = counter(trial, "tx_packets")
    trial.expect(received == sent, "once", f"{sent} packets were sent, {received} received")
    trial.expect(got == 3, "stack", f"{got} of 3 pings came back, though {received} packets were received")


@check(points=4, passed="a burst is taken in several polls, none of which takes more than its budget")
def keeps_to_the_budget(trial: Trial) -> None:
    """Many packets wait when the bell rings."""
    trial.load()
    trial.run(UP)
    burst = random.randrange(150, 250)
    trial.run(f"echo Y > {HOLD}; for i in $(seq {burst}); do echo > /dev/udp/10.9.0.2/9; done")
    held = counter(trial, "rx_packets")
    trial.expect(held == 0, "received", f"while the bell was not rung, {held} packets were received")
    trial.run(f"echo 1 > {TRACE}/events/napi/napi_poll/enable; echo N > {HOLD}; echo > /dev/udp/10.9.0.2/9")
    # Answers of the stack to what came may still be on their way: the pings after them end it.
    answers(trial)
    trial.run(f"echo 0 > {TRACE}/events/napi/napi_poll/enable")
    sent, received = counter(trial, "tx_packets"), counter(trial, "rx_packets")
    seen = re.findall(r"for device poll0 work (-?\d+) budget (\d+)", trial.run(f"cat {TRACE}/trace").stdout)
    polls = [(int(work), int(budget)) for work, budget in seen]
    trial.expect(received > 0, "received", f"{sent} packets were sent, and rx_packets is 0")
    most = max((work for work, _ in polls), default=0)
    trial.expect(all(work <= budget for work, budget in polls), "budget", f"a poll took {most} packets, budget 64")
    trial.expect(received >= min(burst, sent), "rest", f"{sent} packets were sent, only {received} received")
    trial.expect(received == sent, "once", f"{sent} packets were sent, {received} received")
    total = sum(work for work, _ in polls)
    trial.expect(total == received, "work", f"{received} packets were received; by what the polls returned, {total}")


@check(points=2, passed="it can be taken down and up, and away while it is up")
def comes_and_goes(trial: Trial) -> None:
    """Twice down and up, with traffic; then the module goes."""
    with trial.no_leak():
        trial.load()
        trial.run(UP)
        for _ in range(2):
            trial.run("ip link set poll0 down")
            trial.run("ip link set poll0 up")
            got = answers(trial)
            trial.expect(got == 3, "received", f"after it was taken down and up, {got} of 3 pings came back")
        trial.unload()
