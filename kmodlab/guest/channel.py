# SPDX-License-Identifier: MIT
"""The connection to the agent of one guest, for asyncio: tasks, their input and output, their ends.

Everything here runs in one event loop (`kmodlab.aio.loop`). Frames are handed to the transport whole, so a caller
that is cancelled never leaves half a frame behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import struct
import time
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kmodlab.errors import MachineLost
from kmodlab.guest.frames import (
    FRAME_MAX,
    NONCE_SIZE,
    PROTOCOL_VERSION,
    STDIN_WINDOW,
    Exit,
    ExitFlag,
    Frame,
    FrameParser,
    How,
    Type,
    encode,
    encode_start,
    header_of,
)

__all__ = ["OUTPUT_LIMIT", "Channel", "TaskResult"]

OUTPUT_LIMIT = 16 << 20

_PIECE = 64 << 10  # bytes of standard input in one frame
_HELLO_AGAIN = 1.0  # seconds after which an unanswered HELLO is sent again, behind enough zeros to end a torn frame
_GRACE = 3.0  # seconds after a task's time limit within which the agent reports its end
_ROUNDS = 10  # how often an agent that is late with that is believed to live: a forged one could go on for ever
_SILENCE = 5.0  # seconds within which an agent that is alive answers a PING


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came of a task.

    Attributes:
        exit_status: its status, minus the number of the signal that ended it, or None: it never started or is stuck.
        stdout, stderr: what it printed.
        seconds: from its start to its reported end, as seen by the host.
        errno: of a built-in, or of what kept a program from starting; 0 if none.
        timed_out: its time was up and it was sent SIGKILL.
        stuck: SIGKILL did not end it: it sits inside the kernel.
        cut: it printed more than the limit, was sent SIGKILL, and the outputs end at the limit.
        log_time: seconds since boot of the kernel log's newest record when it ended; 0.0 if unknown.
    """

    exit_status: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    errno: int = 0
    timed_out: bool = False
    stuck: bool = False
    cut: bool = False
    log_time: float = 0.0


@dataclass(slots=True, eq=False)
class _Task:
    """A task that runs, as the host sees it."""

    id: int
    limit: int
    on_output: Callable[[int, bytes], object] | None
    keep: bool
    ended: asyncio.Future[Exit]
    credit: int = STDIN_WINDOW
    more_credit: asyncio.Event = field(default_factory=asyncio.Event)
    outputs: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    cut: bool = False


class Channel:
    """The connection to one agent. Call `hello` first; afterwards any number of `task` calls may run at once.

    Attributes:
        spoken: when the host last asked something of the agent, on the clock of `time.monotonic`.
        before_word: called in the event loop before it asks something.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Take over a connected stream socket whose other end is the guest's port."""
        sock.setblocking(False)
        self.spoken = time.monotonic()
        self.before_word: Callable[[], object] | None = None
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._parser = FrameParser()
        self._tasks: dict[int, _Task] = {}
        self._heard = 0.0
        self._something = asyncio.Event()  # set whenever something came
        self._unread = bytearray()
        self._welcome: asyncio.Future[int] | None = None
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._nonce = b""
        self._lost: MachineLost | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, from whichever side."""
        return self._lost is not None

    @property
    def busy(self) -> bool:
        """Whether a task runs."""
        return bool(self._tasks)

    async def hello(self, timeout: float = 10.0) -> None:
        """Introduce this host to the agent, which drops what an earlier host had started.

        Raises:
            MachineLost: the agent did not answer within the time (seconds), or speaks another protocol.
        """
        loop = asyncio.get_running_loop()
        if self._transport is None and self._lost is None:
            transport, _ = await loop.create_connection(lambda: _Receiver(self), sock=self._sock)
            self._transport = transport
        self._nonce = os.urandom(NONCE_SIZE)
        self._welcome = loop.create_future()
        deadline = loop.time() + timeout
        try:
            version = await self._introduce(deadline)
        finally:
            self._welcome = None
        if version != PROTOCOL_VERSION:
            raise self._lose(f"agent speaks protocol {version}, not {PROTOCOL_VERSION}; make the image again", "ended")

    async def _introduce(self, deadline: float) -> int:
        assert self._welcome is not None
        loop = asyncio.get_running_loop()
        padding = b""
        while True:
            self._send(padding + encode(Type.HELLO, 0, self._nonce))
            patience = min(_HELLO_AGAIN, deadline - loop.time())
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(self._welcome), max(patience, 0.001))
            if loop.time() >= deadline:
                raise MachineLost("talk to the guest: its agent does not answer; start another machine", reason="hung")
            padding = bytes(FRAME_MAX)

    async def task(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | AsyncIterable[bytes] = b"",
        timeout: float | None = None,
        cwd: str = "/root",
        env: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        on_output: Callable[[int, bytes], object] | None = None,
        keep: bool = True,
    ) -> TaskResult:
        """Run a program, or a built-in of the agent (``@read`` …), in the guest and return what came of it.

        If this call is cancelled, the task is sent SIGKILL and has ended (or is known to be stuck) when it returns.

        Args:
            argv: the program and its arguments.
            stdin: all that it may read, at once or as it comes.
            timeout: seconds until it is sent SIGKILL.
            cwd: the folder it starts in.
            env: variables that it gets beside the agent's own.
            limit: bytes that both its outputs may have together before it is sent SIGKILL.
            on_output: called in the event loop with 1 (standard output) or 2 and each piece as it comes.
            keep: give the output back at the end; otherwise only `on_output` gets it, and there is no limit.

        Raises:
            MachineLost: the connection ended, or the agent no longer answers.
            UsageError: the command cannot be put into a frame.
        """
        number = self._next_id()
        frame = encode_start(number, argv, cwd, env or {}, max(1, round(timeout * 1000)) if timeout else 0)
        task = _Task(number, limit, on_output, keep, asyncio.get_running_loop().create_future())
        start = time.monotonic()
        self._word()
        self._send(frame)
        self._tasks[task.id] = task
        feeder = asyncio.ensure_future(self._feed(task, stdin))
        try:
            end = await self._end_of(task, timeout)
        except asyncio.CancelledError:
            await self._abandon(task)
            raise
        finally:
            feeder.cancel()
            self._tasks.pop(task.id, None)
        return _result(task, end, time.monotonic() - start)

    async def ask(self, frame: bytes, kind: Type) -> bytes:
        """Send a frame and return the payload of the next one of another kind, which is the answer.

        Raises:
            MachineLost: the connection ended.
        """
        answer = self._answers[kind] = asyncio.get_running_loop().create_future()
        try:
            self._send(frame)
            payload: bytes = await answer
            return payload
        finally:
            del self._answers[kind]

    def tell(self, frame: bytes) -> None:
        """Send a frame, which the agent handles before anything that is asked of it afterwards.

        Raises:
            MachineLost: the connection has ended.
        """
        self._send(frame)

    async def ping(self, timeout: float | None = None) -> float:
        """Return the seconds that the agent took to answer; nothing is started in the guest.

        Raises:
            MachineLost: nothing at all came from the agent within the time (5 seconds if not given).
        """
        patience = _SILENCE if timeout is None else timeout
        self._word()
        start = time.monotonic()
        self._send(encode(Type.PING, 0, b"ping"))
        while self._heard < start:
            if time.monotonic() - start > patience:
                raise MachineLost("talk to the guest: its agent no longer answers; reset() the machine", reason="hung")
            await self._hear(patience)
        return self._heard - start

    def close(self) -> None:
        """End the connection; calls that wait raise MachineLost."""
        self._lose("talk to the guest: the connection was closed; use a fresh machine", "ended")
        if self._transport is not None:
            self._transport.abort()
        else:
            self._sock.close()

    def _word(self) -> None:
        self.spoken = time.monotonic()
        if self.before_word:
            self.before_word()

    def _next_id(self) -> int:
        """A number that nobody can guess: whoever in the guest writes to the port blindly then hits no task."""
        while (number := secrets.randbelow(0xFFFFFFFF) + 1) in self._tasks:
            pass
        return number

    def _send(self, data: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        if self._transport is None:
            raise MachineLost("talk to the guest: nobody said hello; call hello() first", reason="ended")
        self._transport.write(data)

    async def _feed(self, task: _Task, data: bytes | AsyncIterable[bytes]) -> None:
        """Send the standard input, at most a window ahead of what the task has taken."""
        with contextlib.suppress(MachineLost):
            if isinstance(data, bytes):
                await self._feed_piece(task, data)
            else:
                async for piece in data:
                    await self._feed_piece(task, piece)
            self._send(encode(Type.STDIN_EOF, task.id))

    async def _feed_piece(self, task: _Task, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            while not task.credit:
                task.more_credit.clear()
                await task.more_credit.wait()
            piece, rest = rest[: min(_PIECE, task.credit)], rest[min(_PIECE, task.credit) :]
            task.credit -= len(piece)
            self._send(header_of(task.id, Type.STDIN, len(piece)) + bytes(piece))

    async def _end_of(self, task: _Task, timeout: float | None) -> Exit:
        """Wait for the end of a task; once its time should be up, make sure that the agent still lives."""
        if timeout is not None:
            await asyncio.wait([task.ended], timeout=timeout + _GRACE)
            for _ in range(_ROUNDS):
                if task.ended.done():
                    break
                await self.ping()
                await asyncio.wait([task.ended], timeout=_GRACE)
            if not task.ended.done():
                message = "talk to the guest: its agent answers, but reports no end of a task whose time is up"
                raise MachineLost(f"{message}; reset() the machine", reason="hung")
        return await task.ended

    async def _abandon(self, task: _Task) -> None:
        with contextlib.suppress(MachineLost, asyncio.CancelledError):
            self._kill(task)
            await asyncio.wait([task.ended], timeout=_GRACE)

    def _kill(self, task: _Task) -> None:
        self._send(encode(Type.SIGNAL, task.id, struct.pack("<I", signal.SIGKILL)))

    def _lose(self, message: str, reason: str) -> MachineLost:
        """Note that the connection has ended, and tell everybody who waits."""
        if self._lost is None:
            self._lost = MachineLost(message, reason=reason)
        for waiting in (self._welcome, *self._answers.values(), *(task.ended for task in self._tasks.values())):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._lost)
                waiting.exception()  # whoever waited may have been cancelled
        self._something.set()
        return self._lost

    def _received(self, data: bytes) -> None:
        self._heard = time.monotonic()
        self._something.set()
        if self._welcome is not None and not self._welcome.done():
            data = self._await_welcome(data)
        for frame in self._parser.feed(data):
            if frame.type == Type.WELCOME:
                # An agent that boots slowly finds several HELLOs of ours, and answers each.
                if not frame.payload.startswith(self._nonce):
                    self._born_again()
            elif answer := self._answers.get(frame.type):
                if not answer.done():
                    answer.set_result(frame.payload)
            elif task := self._tasks.get(frame.task):
                self._task_frame(task, frame)

    def _born_again(self) -> None:
        """A new agent has taken the place of one that died: what the old one ran will never be answered."""
        for task in self._tasks.values():
            if not task.ended.done():
                message = "talk to the guest: its agent was killed, and what it ran is lost; reset() the machine"
                task.ended.set_exception(MachineLost(message, reason="killed"))

    def _await_welcome(self, data: bytes) -> bytes:
        """Skip everything up to the answer to HELLO, torn frames to an earlier host too; return what follows it."""
        assert self._welcome is not None
        self._unread += data
        wanted = header_of(0, Type.WELCOME, NONCE_SIZE + 4) + self._nonce
        start = self._unread.find(wanted)
        end = start + len(wanted) + 4
        if start < 0 or len(self._unread) < end:
            del self._unread[: max(0, start if start >= 0 else len(self._unread) - len(wanted))]
            return b""
        rest = bytes(self._unread[end:])
        self._welcome.set_result(int.from_bytes(self._unread[end - 4 : end], "little"))
        self._unread.clear()
        self._parser = FrameParser()
        return rest

    async def _hear(self, timeout: float) -> None:
        self._something.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), timeout)
        if self._lost is not None:
            raise self._lost

    def _task_frame(self, task: _Task, frame: Frame) -> None:
        if frame.type in (Type.OUT, Type.ERR):
            self._output(task, 1 if frame.type == Type.OUT else 2, frame.payload)
        elif frame.type == Type.CREDIT:
            task.credit += int.from_bytes(frame.payload[:4], "little")
            task.more_credit.set()
        elif frame.type == Type.EXIT and not task.ended.done():
            task.ended.set_result(Exit.decode(frame.payload))

    def _output(self, task: _Task, stream: int, data: bytes) -> None:
        if task.keep:
            room = task.limit - len(task.outputs[0]) - len(task.outputs[1])
            if len(data) > room and not task.cut:
                task.cut = True
                self._kill(task)
            data = data[: max(room, 0)]
            task.outputs[stream - 1].extend(data)
        if task.on_output and data and not task.ended.done():
            try:
                task.on_output(stream, data)
            except Exception as error:
                task.ended.set_exception(error)
                self._kill(task)


class _Receiver(asyncio.Protocol):
    """What the transport calls."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def data_received(self, data: bytes) -> None:
        self._channel._received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel._lose("talk to the guest: its machine has ended; reset() gives a fresh one", "ended")


def _result(task: _Task, end: Exit, seconds: float) -> TaskResult:
    status = None if end.how == How.UNKNOWN else -end.code if end.how == How.SIGNALLED else end.code
    return TaskResult(
        exit_status=status,
        stdout=bytes(task.outputs[0]),
        stderr=bytes(task.outputs[1]),
        seconds=seconds,
        errno=end.error,
        timed_out=ExitFlag.TIMED_OUT in end.flags,
        stuck=ExitFlag.STUCK in end.flags,
        cut=task.cut,
        log_time=end.log_us / 1e6,
    )
