# SPDX-License-Identifier: MIT
"""The one place where kmodlab starts a process on the host.

Two kinds are enough. `run` is for a tool that ends by itself; it is killed, with all its children, when its time is
up or its caller is interrupted. `start_owned` is for QEMU, which lives as long as its owner: the process that called
`start_owned`, and not a moment longer, however that process ends.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmodlab.errors import HostSetupError

__all__ = ["Finished", "OwnedProcess", "ProcessTimeout", "attached", "run", "start_owned", "which"]

# A supervisor in POSIX shell (1 ms to start, against 20 for a Python one). Its standard input is a pipe whose other
# end only the owner holds: `read` returns when the owner lets go of it, on purpose or by dying. The supervisor ends
# when the owned process does. Should it be killed itself, setpriv has asked the kernel to send the owned process
# SIGKILL too. A shell gives its background jobs /dev/null as standard input, hence the pipe's second number.
_SUPERVISOR = """
exec 3<&0
setpriv --pdeathsig KILL "$@" 3<&- & child=$!
{ read -r _ <&3; kill -9 "$child"; } & leash=$!
wait "$child"
kill -9 "$leash"
"""


class ProcessTimeout(Exception):
    """A tool did not end in time and was killed; it carries what the tool had printed until then."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(f"{finished.argv[0]}: still running after {finished.seconds:.0f} s")
        self.finished = finished


@dataclass(frozen=True, slots=True)
class Finished:
    """A tool that has ended.

    Attributes:
        argv: what was run.
        exit_status: its status, or minus the number of the signal that ended it.
        stdout, stderr: what it printed, each cut at the caller's limit.
        seconds: how long it ran.
        cut: true if it printed more than the limit and was killed for it.
    """

    argv: tuple[str, ...]
    exit_status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    cut: bool = False

    @property
    def text(self) -> str:
        """Both outputs as text, standard output first."""
        return (self.stdout + self.stderr).decode(errors="replace")


def which(name: str) -> Path | None:
    """Return the path of a program, or None; /sbin counts, although an ordinary user's PATH often lacks it."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    limit: int = 16 << 20,
    watch: Callable[[bytes], object] | None = None,
) -> Finished:
    """Run a tool to its end and return what came of it; its exit status is not judged here.

    Args:
        argv: the program and its arguments; never a shell line.
        timeout: seconds it may take.
        stdin: what it reads (at most 64 KiB, the room in a pipe).
        limit: bytes that each of its outputs may hold before it is killed.
        watch: called with each piece of standard output as it comes, for progress.

    Raises:
        HostSetupError: the program does not exist.
        ProcessTimeout: it did not end in time.
    """
    words = tuple(os.fspath(word) for word in argv)
    start = time.monotonic()
    with _interrupts_held() as let_go:
        try:
            child = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=env,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise HostSetupError(f"run {words[0]}: no such program; ./lab doctor says what to install") from None
        with child:
            try:
                let_go()
                outputs, cut, late = _collect(child, stdin, start + timeout, limit, watch)
            finally:
                _kill_group(child)
            status = child.wait()
    finished = Finished(words, status, outputs[0], outputs[1], time.monotonic() - start, cut)
    if late:
        raise ProcessTimeout(finished)
    return finished


@contextlib.contextmanager
def _interrupts_held() -> Iterator[Callable[[], None]]:
    """Put an interrupt off until the function that this gives is called, or the block ends.

    One that came while `subprocess` starts a child would leave a child that nobody knows of, and so nobody ends.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    came: list[int] = []

    def let_go() -> None:
        signal.signal(signal.SIGINT, before)
        if came:
            before(came.pop(), None)

    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield let_go
    finally:
        let_go()


def attached(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    watch: Callable[[bytes], object] | None = None,
) -> int:
    """Run a tool on the user's own terminal, as long as it takes, and return its exit status (minus a signal's number).

    An interrupt from the keyboard reaches the tool itself, and this waits until the tool has dealt with it: a package
    manager must not be killed in the middle.

    Args:
        argv: the program and its arguments; never a shell line.
        cwd: the folder it starts in.
        env: its environment, or None for this process's own.
        watch: called with each line that it prints, instead of passing both its outputs on.

    Raises:
        HostSetupError: the program does not exist.
        KeyboardInterrupt: the interrupt, once the tool has ended.
    """
    words = tuple(os.fspath(word) for word in argv)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL} if watch else {}
    try:
        child = subprocess.Popen(words, cwd=cwd, env=env, **pipes)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise HostSetupError(f"run {words[0]}: no such program; ./lab doctor says what to install") from None
    interrupt: KeyboardInterrupt | None = None
    while True:
        try:
            for line in child.stdout or ():
                if watch:
                    watch(line)
            status = child.wait()
            break
        except KeyboardInterrupt as caught:
            interrupt = caught
    if child.stdout:
        child.stdout.close()
    if interrupt:
        raise interrupt
    return int(status)


def _collect(
    child: subprocess.Popen[bytes],
    stdin: bytes,
    deadline: float,
    limit: int,
    watch: Callable[[bytes], object] | None,
) -> tuple[tuple[bytes, bytes], bool, bool]:
    """Read both outputs of a child until it closes them; return them, and whether it went over a limit or its time."""
    assert child.stdin and child.stdout and child.stderr
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(stdin)
        child.stdin.close()
    buffers = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in buffers:
            selector.register(pipe, selectors.EVENT_READ)
        cut = late = False
        while selector.get_map() and not (cut or late):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            late = not ready
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                buffer = buffers[key.fileobj]  # type: ignore[index]
                buffer += piece[: limit - len(buffer)]
                cut = cut or (bool(piece) and len(buffer) >= limit)
                if not piece:
                    selector.unregister(key.fileobj)
                elif watch and key.fileobj is child.stdout:
                    watch(piece)
    if not (cut or late):
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            late = True
    return (bytes(buffers[child.stdout]), bytes(buffers[child.stderr])), cut, late


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's session: the child, or what it left in the background."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


class OwnedProcess:
    """A process that ends with its owner. Close it to end it; it also ends when the owner dies of whatever cause."""

    def __init__(self, supervisor: subprocess.Popen[bytes], leash: int) -> None:
        self._supervisor = supervisor
        self._leash = leash
        self._exit = os.pidfd_open(supervisor.pid)
        # A child that Python forks (multiprocessing) must not hold the leash, or it would keep the process alive.
        os.register_at_fork(after_in_child=self.let_go)

    @property
    def pid(self) -> int:
        """The process id of the supervisor; the owned process is its first child."""
        return self._supervisor.pid

    @property
    def child_pid(self) -> int | None:
        """The process id of the owned process, or None once it has gone (from ``/proc/PID/task/PID/children``)."""
        try:
            words = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return None
        return int(words[0]) if words else None

    @property
    def exit_descriptor(self) -> int:
        """A descriptor that is readable as soon as the process has ended; it is closed by `close`."""
        return self._exit

    def close(self, timeout: float = 10.0) -> None:
        """End the process, at once and for certain; a second call does nothing."""
        self.let_go()
        try:
            self._supervisor.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self._supervisor.pid, signal.SIGKILL)
            self._supervisor.wait()
        exit_descriptor, self._exit = self._exit, -1
        if exit_descriptor >= 0:
            os.close(exit_descriptor)

    def let_go(self) -> None:
        """Have the process killed, without waiting for its end; see `exit_descriptor` and `close`."""
        leash, self._leash = self._leash, -1
        if leash >= 0:
            os.close(leash)


def start_owned(argv: Sequence[str | os.PathLike[str]], *, pass_fds: Sequence[int], stderr: int) -> OwnedProcess:
    """Start a process that ends with this one.

    It runs in a session of its own, so that an interrupt meant for a notebook cell does not reach it.

    Args:
        argv: the program and its arguments, to which ``setpriv`` options may be prefixed.
        pass_fds: descriptors that it inherits under the same numbers.
        stderr: descriptor that takes what it prints.
    """
    theirs, ours = os.pipe()
    try:
        supervisor = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISOR, "kmodlab", *(os.fspath(word) for word in argv)],
            stdin=theirs,
            stdout=stderr,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return OwnedProcess(supervisor, ours)
