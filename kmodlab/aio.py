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
from concurrent.futures import Future
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
    done = threading.Event()

    async def run() -> T:
        try:
            return await asyncio.wait_for(coroutine, timeout)
        finally:
            done.set()

    future: Future[T] = asyncio.run_coroutine_threadsafe(run(), loop())
    try:
        return future.result()
    except BaseException:
        if not future.done():
            future.cancel()
            done.wait(5)
        raise
