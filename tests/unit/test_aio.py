# SPDX-License-Identifier: MIT
"""Plain calls into the event loop's thread, and an interrupt at each point of one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kmodlab import aio


async def answer() -> int:
    return 42


def test_what_it_returns_and_raises() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    assert aio.call(answer()) == 42
    with pytest.raises(ZeroDivisionError):
        aio.call(fail())
    with pytest.raises(TimeoutError):
        aio.call(asyncio.sleep(100), timeout=0.05)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_while_the_work_is_handed_over(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """The work has ended when the call does, whether it had been handed over or not."""
    hand_over: Callable[..., Any] = asyncio.run_coroutine_threadsafe
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.set()

    def interrupted(*args: Any) -> None:
        if when == "after":
            hand_over(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        aio.call(work())
    assert time.monotonic() - start < 4
    monkeypatch.undo()
    assert ended.is_set() == (when == "after")
    assert aio.call(answer()) == 42
