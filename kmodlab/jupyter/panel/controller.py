# SPDX-License-Identifier: MIT
"""The panel without its looks: pages ask, threads of its own act and tell, and cells are never in the way.

A page's messages come in whatever thread the Jupyter kernel hands them over; none of them waits here. One thread
follows the machine as long as a page is looked at, and each action has a thread for as long as it takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from kmodlab.jupyter.panel.actions import act
from kmodlab.jupyter.panel.commands import Commands
from kmodlab.jupyter.panel.feed import Feed, Message
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.jupyter.panel.terminal import TerminalHost

__all__ = ["Controller"]

_BEAT = 0.25
_QUIET_BEAT = 0.5
_LOOKED_AT = 60.0
"""Seconds after a page's last word until it counts as gone; it says one every 20 seconds while it can be seen."""
_MOST_ACTIONS = 8
_ACTIONS = frozenset({"fresh", "pause", "resume", "nmi", "load", "unload", "build"})

Send = Callable[[Message, list[bytes]], None]


class Controller:
    """Follows a machine for the pages that show it, and does what they ask for.

    Args:
        subject: the machine and the modules.
        send: takes a message and its bytes for the pages, from any thread.
        library: gives the terminal's code for a page that opens one.
    """

    def __init__(self, subject: Subject, send: Send, library: Callable[[], tuple[Message, list[bytes]]]) -> None:
        self.feed = Feed(subject)
        self.commands = Commands(subject)
        self._subject, self._send, self._library = subject, send, library
        self._terminal = TerminalHost(subject, self._send_if_seen)
        self._lock = threading.RLock()
        self._pages: dict[str, float] = {}
        self._stir = threading.Event()
        self._follower: threading.Thread | None = None
        self._actions = 0

    def receive(self, message: dict[str, Any]) -> None:
        """Take a message of a page: ``do`` says what it wants."""
        verb = message.get("do")
        if verb == "alive":
            self._seen_by(str(message.get("page")), again=bool(message.get("again")))
        elif verb == "away":
            self._pages.pop(str(message.get("page")), None)
        elif verb == "clear":
            with self._lock:
                self.feed.log.clear()
        elif verb == "library":
            self._send(*self._library())
        elif verb == "type":
            self._terminal.type(str(message.get("text", "")))
        elif verb == "size":
            self._terminal.resize(*_size(message))
        elif verb == "close":
            self._terminal.close()
        elif verb in {"open", "run"} | _ACTIONS:
            self._begin(str(verb), message)

    def close(self) -> None:
        """End the terminal and stop following; actions that run go on to their end."""
        self._pages.clear()
        self._terminal.close()
        self._stir.set()
        follower = self._follower
        if follower and follower is not threading.current_thread():
            follower.join(5)

    # -- Following ----------------------------------------------------------------------------------------------------

    def _seen_by(self, page: str, *, again: bool) -> None:
        """Note that somebody looks; tell a page that has slept, or has just come, everything."""
        with self._lock:
            slept = self._follower is None
            self._pages[page] = time.monotonic() + _LOOKED_AT
            if again or slept:
                self._tell(self.feed.whole(), page)
                self._tell(self.commands.whole(), page)
                self._terminal.whole()
            if slept:
                self._follower = threading.Thread(target=self._follow, name="kmodlab-panel", daemon=True)
                self._follower.start()

    def _is_seen(self) -> bool:
        now = time.monotonic()
        return any(until > now for until in list(self._pages.values()))

    def _follow(self) -> None:
        beat = _BEAT
        while True:
            with self._lock:
                if not self._is_seen():
                    self._follower = None
                    return
                news = self._tell(self.feed.changes()) + self._tell(self.commands.changes())
            beat = _BEAT if news else min(beat * 1.2, _QUIET_BEAT)
            self._stir.wait(beat)
            self._stir.clear()

    def _tell(self, messages: Iterable[Message], page: str = "") -> int:
        count = 0
        for message in messages:
            self._send({**message, "page": page} if page else message, [])
            count += 1
        return count

    def _send_if_seen(self, message: Message, buffers: list[bytes]) -> None:
        if self._is_seen():
            self._send(message, buffers)

    # -- Acting -------------------------------------------------------------------------------------------------------

    def _begin(self, verb: str, message: dict[str, Any]) -> None:
        with self._lock:
            if self._actions >= _MOST_ACTIONS:
                return self._answer(verb, message, False, f"{self._actions} actions still run; wait for one to end")
            self._actions += 1
        threading.Thread(target=self._do, args=(verb, message), name=f"kmodlab-panel-{verb}", daemon=True).start()
        return None

    def _do(self, verb: str, message: dict[str, Any]) -> None:
        try:
            if verb == "run":
                self._stir.set()
                return self.commands.run(str(message.get("line", "")))
            if verb == "open":
                return self._terminal.open(*_size(message))
            self._answer(verb, message, *act(self._subject, verb, message))
        except Exception as error:  # a thread's own death would leave the page waiting for ever
            self._answer(verb, message, False, f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._actions -= 1
            self.feed.glancer.hurry()
            self._stir.set()
        return None

    def _answer(self, verb: str, message: dict[str, Any], went_well: bool, text: str) -> None:
        answer = {"see": "answer", "verb": verb, "name": message.get("name", ""), "ok": went_well, "text": text}
        self._send(answer, [])


def _size(message: dict[str, Any]) -> tuple[int, int]:
    """The lines and columns that a page says."""
    lines, columns = (int(message.get(name, 0)) for name in ("lines", "columns"))
    return min(max(lines, 2), 500), min(max(columns, 2), 500)
