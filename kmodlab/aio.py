# SPDX-License-Identifier: MIT
"""One background thread with an event loop, in which all talk with machines happens.

The public interface of kmodlab is plain calls, also inside a Jupyter kernel, whose own event loop is busy with cells.
An interrupt (SIGINT) is delivered to the main thread only: it ends the waiting there, cancels what was waited for, and
never tears a connection in the middle of a message.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["call", "loop"]

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0


def loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the background thread, starting it at first use (and anew in a forked child)."""
    global _loop, _owner
    with _lock:
        if _loop is None or _owner != os.getpid():
            _loop, _owner = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, name="kmodlab-io", daemon=True).start()
        return _loop


def call(coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Run a coroutine in the background thread and return what it returns, or raise what it raises.

    If the caller is interrupted or the time is up, the coroutine is cancelled and has ended before this returns.

    Raises:
        TimeoutError: it did not end in time (seconds).
    """
    where, done = loop(), threading.Event()
    begun: list[asyncio.Task[T]] = []

    async def run() -> T:
        task = asyncio.current_task()
        assert task is not None
        begun.append(task)
        try:
            return await asyncio.wait_for(coroutine, timeout)
        finally:
            done.set()

    def abandon() -> None:
        if begun:
            begun[0].cancel()
        else:
            work.close()
            coroutine.close()
            done.set()

    work = run()
    try:
        return asyncio.run_coroutine_threadsafe(work, where).result()
    except BaseException:
        if not done.is_set():
            # An interrupt may come before the line above has handed anything over, or before it returns. One turn of
            # the loop later, what was handed over has begun.
            where.call_soon_threadsafe(where.call_soon, abandon)
            done.wait(5)
        raise
