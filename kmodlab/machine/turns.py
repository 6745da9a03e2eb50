# SPDX-License-Identifier: MIT
"""Turns: of all processes of a user on this computer, only so many bring up machines at once.

Where thirty notebooks begin in the same second, each would get a thirtieth of the processors, and all would be ready at
the end of the same long time. In turns the work is the same, but the first are ready at once, and none comes near a
time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
from collections.abc import AsyncIterator

from kmodlab.config import settings

__all__ = ["Busy", "turn"]

_LOOK_AGAIN = 0.01  # seconds; only while others are at it


class Busy(Exception):
    """It is nobody's turn now."""


@contextlib.asynccontextmanager
async def turn(*, wait: bool = True) -> AsyncIterator[None]:
    """Hold one of the turns, of which there are as many as processors.

    A turn is the lock of a file, so that it comes back when its process ends in whatever way. Where there can be no
    such files (a cache that may only be read), everybody has a turn.

    Raises:
        Busy: all are taken, and this one does not wait.
    """
    descriptor = _take()
    while descriptor is None:
        if not wait:
            raise Busy
        await asyncio.sleep(_LOOK_AGAIN)
        descriptor = _take()
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _take() -> int | None:
    """The descriptor of a turn's file, -1 where there are none, or None if all are taken."""
    folder = settings().cache / "templates"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    count = len(os.sched_getaffinity(0))
    for number in random.sample(range(count), count):
        try:
            descriptor = os.open(folder / f".turn-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            return -1
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
        else:
            return descriptor
    return None
