# SPDX-License-Identifier: MIT
"""What tells one clone of a frozen machine from the next: time, entropy and names."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time

from kmodlab.errors import MachineLost, TransferError
from kmodlab.guest.channel import Channel
from kmodlab.guest.frames import Type, encode_identity

__all__ = ["identify", "set_clock"]

_VENDOR = bytes.fromhex("525400")  # of the addresses that QEMU's network cards have


async def identify(channel: Channel, timeout: float = 60.0) -> None:
    """Give a clone the host's time, fresh entropy, and a machine id and an address for ``eth0`` drawn at random.

    Raises:
        TransferError: the guest refused one of them; its text says which.
        MachineLost: the connection ended, or the agent does not answer within the time (seconds).
    """
    address = _VENDOR + secrets.token_bytes(3)
    frame = encode_identity(time.time_ns(), os.urandom(64), secrets.token_hex(16), address)
    try:
        answer = await asyncio.wait_for(channel.ask(frame, Type.IDENTIFIED), timeout)
    except TimeoutError:
        message = "identify the machine: its agent does not answer; start another machine"
        raise MachineLost(message, reason="hung") from None
    if number := int.from_bytes(answer[:4], "little"):
        words = f"{answer[4:].decode(errors='replace')}: {os.strerror(number)} ({errno.errorcode.get(number, number)})"
        raise TransferError(f"{words}; start another machine", errno=number)


def set_clock(channel: Channel) -> None:
    """Set the clock of a guest that was stopped for a while; whatever is asked of it afterwards sees the right time.

    Raises:
        MachineLost: the connection has ended.
    """
    channel.tell(encode_identity(time.time_ns()))
