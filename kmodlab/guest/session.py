# SPDX-License-Identifier: MIT
"""Plain calls to the agent of one guest: run, push, pull, load, delete, identify, snapshot.

Each call waits for its answer; an interrupt (Ctrl-C, or the stop button of a notebook) ends what the call had started
in the guest and leaves the session usable.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmodlab import aio
from kmodlab.config import settings
from kmodlab.errors import CommandTimeout, TransferError, UsageError
from kmodlab.guest.channel import OUTPUT_LIMIT, Channel, TaskResult
from kmodlab.guest.identity import identify

__all__ = [
    "CommandResult",
    "LoadResult",
    "Session",
    "argv_of",
    "late_error",
    "parse_snapshot",
    "short_words",
]

FILE_LIMIT = 256 << 20

_TRANSFER_TIMEOUT = 60.0
_ENTRY = re.compile(rb"(?P<size>\d{1,9}) (?P<errno>\d{1,4}) (?P<path>[^\0]*)\0")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command that has ended in the guest.

    Attributes:
        command: what was run, as given.
        exit_status: its status, or minus the number of the signal that ended it; 127: no such program.
        stdout, stderr: what it printed; bytes that are no UTF-8 are replaced.
        seconds: how long it took, as seen by the host.
        cut: it printed more than the limit and was killed for it.
        log_time: seconds since boot of the kernel log's newest record when it ended.
    """

    command: str | tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str
    seconds: float
    cut: bool = False
    log_time: float = 0.0

    @classmethod
    def of(cls, command: str | Sequence[str], done: TaskResult) -> CommandResult:
        """Return what a task that has ended came to.

        Raises:
            TransferError: it was never started.
        """
        shown = command if isinstance(command, str) else tuple(command)
        if done.exit_status is None:
            message = f"run {short_words(shown)}: {_reason(done.errno)}; wait for other commands to end"
            raise TransferError(message, errno=done.errno)
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return cls(shown, done.exit_status, stdout, stderr, done.seconds, done.cut, done.log_time)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What the kernel said to a request to load or unload a module.

    Attributes:
        errno: 0 if it did, else the error of ``finit_module(2)`` or ``delete_module(2)``.
        signal: number of the signal that killed the loading process (an oops in the module's init does that), else 0.
        timed_out: the kernel had not answered in time.
        stuck: and not even SIGKILL ended the process: the module's init or exit function never returns.
        seconds: how long it took, as seen by the host.
        log_time: seconds since boot of the kernel log's newest record afterwards; 0.0 if unknown.
    """

    errno: int
    signal: int
    timed_out: bool
    stuck: bool
    seconds: float
    log_time: float

    @property
    def ok(self) -> bool:
        """Whether the kernel did what was asked."""
        return not (self.errno or self.signal or self.timed_out or self.stuck)

    @classmethod
    def of(cls, done: TaskResult, remote: str = "the module") -> LoadResult:
        """Return what the agent's ``@load``, ``@insmod`` or ``@delete`` came to.

        Raises:
            TransferError: the module could not be written, so the kernel was not asked.
        """
        if done.errno and not done.stderr.startswith((b"load ", b"delete ")):
            _checked(done, "push", remote)
        killed = -done.exit_status if done.exit_status is not None and done.exit_status < 0 else 0
        signal = 0 if done.timed_out else killed
        return cls(done.errno, signal, done.timed_out, done.stuck, done.seconds, done.log_time)


class Session:
    """A guest to which somebody has been introduced; made by `Session.open`."""

    def __init__(self, channel: Channel) -> None:
        """Use a channel whose `Channel.hello` has been answered."""
        self.channel = channel

    @classmethod
    def open(cls, sock: socket.socket, timeout: float = 10.0) -> Session:
        """Take over a socket connected to a guest's port, wait until its agent answers, and return the session.

        Raises:
            MachineLost: it did not answer within the time (seconds).
        """

        async def introduce() -> Channel:
            channel = Channel(sock)
            try:
                await channel.hello(timeout)
            except BaseException:
                channel.close()
                raise
            return channel

        return cls(aio.call(introduce()))

    def close(self) -> None:
        """End the connection; calls of other threads that still wait raise MachineLost."""

        async def close() -> None:
            self.channel.close()

        aio.call(close())

    def task(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        cwd: str = "/root",
        env: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        on_output: Callable[[int, bytes], object] | None = None,
    ) -> TaskResult:
        """Do what `Channel.task` does, and wait for it."""
        return aio.call(
            self.channel.task(argv, stdin=stdin, timeout=timeout, cwd=cwd, env=env, limit=limit, on_output=on_output)
        )

    def run(
        self,
        command: str | Sequence[str],
        timeout: float | None = None,
        *,
        stdin: bytes = b"",
        cwd: str = "/root",
        env: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        on_output: Callable[[int, bytes], object] | None = None,
    ) -> CommandResult:
        """Run a command in the guest and return what came of it; its exit status is not judged here.

        Args:
            command: a line for ``bash -c``, or a program with its arguments.
            timeout: seconds it may take; without one, the setting ``command_timeout``.
            stdin: see `Channel.task`, as for the rest.
            cwd: the folder it starts in.
            env: variables that it gets beside the agent's own.
            limit: bytes that both its outputs may have together.
            on_output: called with 1 or 2 and each piece of output as it comes, in kmodlab's own thread.

        Raises:
            CommandTimeout: it did not end in time.
            MachineLost: the machine ended or no longer answers.
        """
        seconds = settings().command_timeout if timeout is None else timeout
        argv = argv_of(command)
        done = self.task(argv, stdin=stdin, timeout=seconds, cwd=cwd, env=env, limit=limit, on_output=on_output)
        if done.timed_out or done.stuck:
            raise late_error(command, seconds, (done.stdout, done.stderr), stuck=done.stuck)
        return CommandResult.of(command, done)

    def push(self, data: bytes | Path, remote: str, mode: int = 0o644) -> None:
        """Write a file in the guest, whole or not at all, from bytes or from a regular file of the host.

        Raises:
            TransferError: the guest could not write it, or the host could not read it.
            MachineLost: the machine ended or no longer answers.
        """
        content = _content(data)
        argv = ["@write", remote, f"{mode:o}"]
        _checked(self.task(argv, stdin=content, timeout=_TRANSFER_TIMEOUT, cwd="/"), "push", remote)

    def pull(self, remote: str, local: Path | None = None, *, limit: int = FILE_LIMIT) -> bytes:
        """Read a file of the guest and return its content; with `local`, also write it there.

        What is written is always a regular file with the ordinary rights, whatever it was in the guest, and appears
        whole or not at all. A file without an end (a device, a pipe) gives what can be read without waiting.

        Raises:
            TransferError: the guest could not read it, the host could not write it, or it is longer than `limit` bytes.
            UsageError: `local` exists and is no regular file.
            MachineLost: the machine ended or no longer answers.
        """
        if local is not None:
            _refuse_special(local)
        done = self.task(["@read", remote], timeout=_TRANSFER_TIMEOUT, limit=limit, cwd="/")
        if done.cut:
            raise TransferError(f"pull {remote}: more than {limit} bytes; raise the limit, or pull a part of it")
        if (done.exit_status, done.errno) != (1, errno.EAGAIN):
            _checked(done, "pull", remote)
        if local is not None:
            _write_atomically(local, done.stdout)
        return done.stdout

    def load(self, remote: str, parameters: str = "", *, flags: int = 0, timeout: float | None = None) -> LoadResult:
        """Load a module that lies in the guest (``finit_module(2)``; compressed ones too)."""
        return self._ask_kernel(["@load", remote, parameters, str(flags)], timeout=timeout)

    def push_and_load(
        self,
        data: bytes | Path,
        remote: str,
        parameters: str = "",
        *,
        mode: int = 0o644,
        flags: int = 0,
        timeout: float | None = None,
    ) -> LoadResult:
        """Push a module and load it, in one round trip.

        Raises:
            TransferError: it could not be pushed, so nothing was loaded.
            MachineLost: the machine ended or no longer answers.
        """
        argv = ["@insmod", remote, f"{mode:o}", parameters, str(flags)]
        return self._ask_kernel(argv, stdin=_content(data), timeout=timeout)

    def delete(self, name: str, *, flags: int = os.O_NONBLOCK, timeout: float | None = None) -> LoadResult:
        """Unload a module (``delete_module(2)``); one that is in use gives EWOULDBLOCK."""
        return self._ask_kernel(["@delete", name, str(flags)], timeout=timeout)

    def identify(self) -> None:
        """Do what `kmodlab.guest.identity.identify` does, and wait for it."""
        aio.call(identify(self.channel))

    def snapshot(self, patterns: Sequence[str], *, limit: int = FILE_LIMIT) -> dict[str, bytes]:
        """Return the contents of many files of the guest in one round trip, by path.

        A pattern may hold ``*``, ``?`` and ``[…]``, which match hidden names too. Files that are missing or cannot be
        read are left out; each is cut at 4 MiB.

        Raises:
            TransferError: all together are longer than `limit` bytes.
            MachineLost: the machine ended or no longer answers.
        """
        done = self.task(["@snapshot", *patterns], timeout=_TRANSFER_TIMEOUT, limit=limit, cwd="/")
        if done.cut:
            raise TransferError(f"read {len(patterns)} files: more than {limit} bytes; ask for fewer")
        _checked(done, "read", f"{len(patterns)} files")
        return parse_snapshot(done.stdout)

    def _ask_kernel(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None) -> LoadResult:
        seconds = settings().command_timeout if timeout is None else timeout
        return LoadResult.of(self.task(argv, stdin=stdin, timeout=seconds, cwd="/"), argv[1])


def argv_of(command: str | Sequence[str]) -> list[str]:
    """Return the program and arguments that run a command: a line is one for bash."""
    return ["bash", "-c", command] if isinstance(command, str) else list(command)


def short_words(command: str | Sequence[str]) -> str:
    """Return a command as it stands in a message."""
    text = command if isinstance(command, str) else " ".join(command)
    return text if len(text) <= 60 else text[:57] + "..."


def late_error(
    command: str | Sequence[str], seconds: float, printed: tuple[bytes, bytes], *, stuck: bool
) -> CommandTimeout:
    """Return the error for a command that did not end within so many seconds."""
    advice = "it sits inside the kernel, reset() the machine" if stuck else "give it a longer timeout"
    message = f"run {short_words(command)}: not done after {seconds:g} s (ETIMEDOUT); {advice}"
    stdout, stderr = (text.decode(errors="replace") for text in printed)
    return CommandTimeout(message, seconds=seconds, stuck=stuck, stdout=stdout, stderr=stderr)


def _reason(number: int) -> str:
    # Not errno_text(): its words are those of insmod.
    return f"{os.strerror(number)} ({errno.errorcode.get(number, number)})" if number else "failed"


def _checked(done: TaskResult, verb: str, thing: str) -> None:
    """Raise unless a built-in did its work."""
    if done.exit_status == 0:
        return
    if done.timed_out or done.stuck:
        raise TransferError(f"{verb} {thing}: not done in time (ETIMEDOUT); reset() the machine", errno=errno.ETIMEDOUT)
    if done.exit_status is None or done.exit_status > 0:
        said = done.stderr.decode(errors="replace").strip() or "it gives no reason"
        raise TransferError(f"{verb} {thing}: {_reason(done.errno)}; the guest says: {said}", errno=done.errno)
    ended = f"killed by signal {-done.exit_status} in the guest"
    raise TransferError(f"{verb} {thing}: {ended}; look at dmesg(), or reset() the machine")


def _content(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data
    if data.exists() and not data.is_file():
        raise TransferError(f"push {data}: not a regular file; name one")
    try:
        return data.read_bytes()
    except OSError as error:
        number = error.errno or 0
        raise TransferError(f"push {data}: {_reason(number)}; name a file that can be read", errno=number) from None


def _refuse_special(local: Path) -> None:
    if local.is_symlink() or (local.exists() and not local.is_file()):
        raise UsageError(f"pull to {local}: there is something that is not a regular file; choose another name")


def _write_atomically(local: Path, content: bytes) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=local.parent, prefix=f".{local.name}.", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                Path(file.name).replace(local)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        number = error.errno or 0
        raise TransferError(f"pull to {local}: {_reason(number)}; choose another place", errno=number) from None


def parse_snapshot(text: bytes) -> dict[str, bytes]:
    """Return the files in what ``@snapshot`` printed, by path; those that could not be read are left out.

    Raises:
        TransferError: no agent prints that: somebody in the guest has put words in its mouth.
    """
    files: dict[str, bytes] = {}
    at = 0
    while at < len(text):
        head = _ENTRY.match(text, at)
        if not head or head.end() + int(head["size"]) > len(text):
            raise TransferError(f"read files: the guest's answer is damaged at byte {at}; reset() the machine")
        at = head.end() + int(head["size"])
        if head["errno"] == b"0":
            files[head["path"].decode(errors="surrogateescape")] = text[head.end() : at]
    return files
