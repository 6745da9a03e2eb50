# SPDX-License-Identifier: MIT
"""Progress of what takes longer than a second: a bar on a terminal or in a notebook, plain lines everywhere else.

It all goes to standard error. Nothing is printed for what ends within a second.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, Protocol

__all__ = ["Step", "say", "size_text", "step"]

_DELAY = 1.0  # seconds before anything is shown
_PLAIN_EVERY = 15.0  # seconds between two plain lines of one step


def say(text: str) -> None:
    """Print one line to standard error, in one write, so that lines of several threads do not mix."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def size_text(count: float) -> str:
    """Return a number of bytes for people, in powers of 1000: ``85 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


class Step:
    """One thing under way. Call `update` or `reach` as it goes on; both are cheap and may come from any thread.

    Attributes:
        text: what is being done.
        total: how much there is to do, in `unit`, or None where nobody knows.
        done: how much is done.
    """

    def __init__(self, text: str, total: float | None, unit: str) -> None:
        self.text, self.total, self.unit = text, total, unit
        self.done = 0.0
        self.start = time.monotonic()

    def update(self, amount: float = 1) -> None:
        """Say that so much more is done."""
        self.done += amount

    def reach(self, amount: float) -> None:
        """Say that so much is done in all."""
        self.done = amount

    def tell(self, text: str) -> None:
        """Say what is being done now."""
        self.text = text

    def __str__(self) -> str:
        """How far it is, in words: ``12 MB of 85 MB``, or nothing where there is nothing to count."""
        if self.unit == "%":
            return f"{self.done:.0f} %"
        show = size_text if self.unit == "B" else (lambda count: f"{count:.0f} {self.unit}")
        if self.total:
            done = min(self.done, self.total)
            return f"{show(done) if self.unit == 'B' else f'{done:.0f}'} of {show(self.total)}"
        return show(self.done) if self.done else ""


class _View(Protocol):
    """How a step is shown: `show` is called about twice a second once it is a second old, `end` when it has ended."""

    def show(self, now: Step) -> None: ...

    def end(self, now: Step) -> None: ...


class _Lines:
    """Plain lines: one when a step turns out to take long, one now and then, one at its end."""

    def __init__(self) -> None:
        self._last = 0.0

    def show(self, now: Step) -> None:
        if time.monotonic() - self._last >= _PLAIN_EVERY:
            self._last = time.monotonic()
            say(f"{now.text} … {now}".rstrip())

    def end(self, now: Step) -> None:
        say(f"{now.text}: {time.monotonic() - now.start:.0f} s")


class _Bar:
    """tqdm's bar, on a terminal."""

    def __init__(self, now: Step, tqdm: Any) -> None:
        self._bar = tqdm(
            desc=now.text, total=now.total, unit=now.unit, unit_scale=now.unit == "B", leave=bool(now.total),
            dynamic_ncols=True, initial=0, bar_format=None if now.total else "{desc} … {elapsed}",
        )  # fmt: skip

    def show(self, now: Step) -> None:
        self._bar.set_description_str(now.text, refresh=False)
        self._bar.update(now.done - self._bar.n)
        self._bar.refresh()

    def end(self, now: Step) -> None:
        self.show(now)
        self._bar.close()


class _Cell:
    """A bar in the output of a notebook's cell, gone when the step has ended; a reader of plain text keeps a line."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, now: Step) -> None:
        seconds = f"{time.monotonic() - now.start:.0f} s"
        words = f"{now.text} … {', '.join(filter(None, (str(now), seconds)))}"
        far = f' value="{min(now.done, now.total):g}" max="{now.total:g}"' if now.total else ""
        bar = f'<progress aria-label="{escape(now.text)}"{far}></progress>'
        style = "color:var(--jp-ui-font-color2, #6a737d);font-size:.92em"
        self._publish({"text/plain": words, "text/html": f'<div style="{style}">{bar} {escape(words)}</div>'})

    def end(self, now: Step) -> None:
        self._publish({"text/plain": f"{now.text}: {time.monotonic() - now.start:.0f} s", "text/html": ""})

    def _publish(self, bundle: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


class _OwnBar:
    """One line that is written over, for a terminal while tqdm is not installed yet."""

    def show(self, now: Step) -> None:
        seconds = time.monotonic() - now.start
        line = f"{now.text}: {now} {seconds:.0f} s"
        sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def end(self, now: Step) -> None:
        self.show(now)
        say("")


def _view(now: Step) -> _View:
    if _in_notebook():
        return _Cell()
    if not sys.stderr.isatty():
        return _Lines()
    try:
        from tqdm import tqdm
    except ImportError:
        return _OwnBar()
    return _Bar(now, tqdm)


def _in_notebook() -> bool:
    """Whether this is a Jupyter kernel. IPython is asked only if somebody has loaded it already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def step(text: str, *, total: float | None = None, unit: str = "B") -> Iterator[Step]:
    """Show that something is under way for as long as the block runs.

    Args:
        text: what is being done, without a full stop: ``Downloading the kernel``.
        total: how much there is to do, or None where nobody knows.
        unit: what `total` counts; ``B`` is shown as kB, MB, GB.
    """
    now = Step(text, total, unit)
    if _in_notebook() and threading.current_thread() is not threading.main_thread():
        # What is done in the background, for a panel say, would be shown in whatever cell was run last.
        yield now
        return
    ended = threading.Event()
    views: list[_View] = []
    ticker = threading.Thread(target=_tick, args=(now, ended, views), name="kmodlab-progress", daemon=True)
    ticker.start()
    try:
        yield now
    finally:
        ended.set()
        ticker.join()
        for view in views:
            view.end(now)


def _tick(now: Step, ended: threading.Event, views: list[_View]) -> None:
    if ended.wait(_DELAY):
        return
    views.append(_view(now))
    while True:
        views[0].show(now)
        if ended.wait(0.5):
            return
