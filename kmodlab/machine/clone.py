# SPDX-License-Identifier: MIT
"""A clone of a frozen machine: how it begins and ends, what is run in it and copied to it, and what it logs."""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from kmodlab import aio
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.lines import ModuleCode
from kmodlab.config import settings
from kmodlab.errors import CommandError, KernelHang, MachineLost
from kmodlab.guest.channel import OUTPUT_LIMIT
from kmodlab.guest.session import CommandResult, Session, argv_of, late_error, short_words
from kmodlab.machine import provision
from kmodlab.machine.console import Console
from kmodlab.machine.doze import Doze
from kmodlab.machine.emulator import Emulator, lost_error
from kmodlab.machine.fresh import Fresh
from kmodlab.machine.hang import Watched, watch
from kmodlab.machine.pool import pool
from kmodlab.machine.stall import hang_error
from kmodlab.machine.state import State, require
from kmodlab.machine.template import Template
from kmodlab.progress import step
from kmodlab.records.kmsg import KernelLog, KmsgRecord, parse_console

__all__ = ["HOME", "Clone"]

_started: weakref.WeakSet[Clone] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End what still runs when Python exits, while there is still an event loop to do it in an orderly way."""
    for machine in list(_started):
        machine.kill()


HOME = "/root"
"""The guest's folder for what is pushed; commands start there."""


class Clone:
    """One clone of a frozen machine: its life, its commands and files, its log.

    It is a context manager: entering starts a fresh clone, leaving ends it. Nothing of it outlives that, or outlives
    this process.

    Args:
        kernel: the kernel to run; None means the release's own.
        memory: MiB; None means the setting.
        cpus: virtual processors; None means the setting.
    """

    def __init__(
        self, kernel: KernelBuild | str | None = None, memory: int | None = None, cpus: int | None = None
    ) -> None:
        self._wanted = (kernel, memory or settings().memory, cpus or settings().cpus)
        self._template: Template | None = None
        self._emulator: Emulator | None = None
        self._session: Session | None = None
        self._state = State.NEW
        self._console: Console | None = None
        self._log_start = 0
        self._silent = False
        self._code: dict[str, ModuleCode] = {}  # of the modules that were loaded from here

    # -- Life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start a fresh clone."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.kill()

    @require(State.NEW, State.CLOSED)
    def start(self) -> Self:
        """Start a fresh clone of the frozen machine, making that first if there is none.

        Raises:
            HostSetupError, ImageError: the host or the cache lacks something.
            MachineError: QEMU or the guest did not come up.
        """
        if self._emulator:
            self.kill()
        if self._template is None:
            self._template = provision.template(*self._wanted)
        try:
            self._clone(self._template)
        except BaseException:
            self.kill()
            raise
        return self

    def _clone(self, template: Template) -> None:
        template.memory()
        _started.add(self)
        aio.call(self._begin(template))
        self._silent = False
        self._code.clear()
        self._log_start = self.log_mark()
        self._state = State.RUNNING

    async def _begin(self, template: Template) -> None:
        """Take a spare or begin anew; in the loop's thread, where no interrupt parts a machine from its owner."""
        spares = pool()
        spare = await spares.take(template)
        fresh = spare or Fresh(template)
        self._emulator, self._session, self._console = fresh.emulator, fresh.session, fresh.emulator.console
        if spare is None:
            await fresh.begin()
        spares.note_start(template)
        Doze(self, fresh.emulator, fresh.session.channel)

    def reset(self) -> Self:
        """Replace the machine by a fresh one; nothing of the last survives. Works in every state."""
        self.kill()
        return self.start()

    def kill(self) -> None:
        """End the machine at once; a second call does nothing. Its log stays readable."""
        # What an interrupt leaves undone here, the next call or start does.
        self._state = State.CLOSED
        session, emulator = self._session, self._emulator
        if session:
            session.close()
        if emulator:
            aio.call(emulator.stop())
        self._emulator = self._session = None

    close = kill

    @require(State.RUNNING)
    def pause(self) -> None:
        """Stop the machine's processors, so that it costs nothing; see `resume`."""
        aio.call(self._running().pause(), timeout=30)
        self._state = State.PAUSED

    @require(State.PAUSED)
    def resume(self) -> None:
        """Let a paused machine run on."""
        aio.call(self._running().resume(), timeout=30)
        self._state = State.RUNNING

    @require(State.RUNNING)
    def nmi(self) -> None:
        """Send the machine a non-maskable interrupt: its kernel panics and logs where each processor was.

        Raises:
            MachineError: this kind of machine has none, as one for arm64.
        """
        aio.call(self._running().inject_nmi(), timeout=30)

    @property
    def state(self) -> State:
        """What the machine is now; a lost one is noticed here."""
        if self._state in {State.RUNNING, State.PAUSED} and self._emulator and self._emulator.lost:
            self._state = State.LOST
        return self._state

    @property
    def dozing(self) -> bool:
        """Whether it stands still because nobody talks to it; it runs on at the next word."""
        return self._emulator is not None and self._emulator.dozing

    @property
    def kernel(self) -> KernelBuild:
        """The kernel that it runs."""
        if self._template is None:
            self._template = provision.template(*self._wanted)
        return self._template.kernel

    @property
    def accelerator(self) -> str:
        """``tcg`` or ``kvm``."""
        return self._template.hardware.accelerator if self._template else "not chosen yet"

    @property
    def pid(self) -> int | None:
        """The process id of its QEMU on the host, or None."""
        return self._emulator.pid if self._emulator else None

    # -- Commands and files ---------------------------------------------------------------------------------------

    @require(State.RUNNING)
    def run(
        self,
        command: str | Sequence[str],
        timeout: float | None = None,
        stdin: bytes = b"",
        *,
        on_output: Callable[[int, bytes], object] | None = None,
    ) -> CommandResult:
        """Run a command in the guest and return what came of it, whatever its status.

        Args:
            command: a line for bash, or a program and its arguments.
            timeout: seconds in which the machine could run; None means the setting.
            stdin: what it reads.
            on_output: called with 1 or 2 and each piece of output as it comes, in kmodlab's own thread.

        Raises:
            CommandTimeout: it did not end in time.
            KernelHang: nor can it, since a module or the kernel itself is in its way.
            MachineLost: the machine ended meanwhile.
        """
        before, seconds = self.log_mark(), settings().command_timeout if timeout is None else timeout
        # Whoever watches the output sees what goes on.
        with contextlib.nullcontext() if on_output else step(f"Running {' '.join(short_words(command).split())}"):
            watched = self._watch(argv_of(command), limit=seconds, stdin=stdin, on_output=on_output)
        if watched.result is None:
            assert watched.stall is not None
            if watched.stall.fatal or watched.stall.culprit:
                raise self._hang(f"run {short_words(command)}", watched, seconds, before)
            late = late_error(command, seconds, watched.printed, stuck=False)
            late.records = tuple(self._records(before))
            raise late
        return CommandResult.of(command, watched.result)

    def check(self, command: str | Sequence[str], timeout: float | None = None, stdin: bytes = b"") -> CommandResult:
        """Run a command as `run` does.

        Raises:
            CommandError: it ended with a status other than 0.
        """
        result = self.run(command, timeout, stdin)
        if result.exit_status:
            said = (result.stderr or result.stdout).strip().splitlines()
            raise CommandError(
                f"run {result.command!r}: {said[-1] if said else 'failed'} (exit status {result.exit_status})",
                exit_status=result.exit_status,
                stdout=result.stdout,
                stderr=result.stderr,
            )
        return result

    @require(State.RUNNING)
    def push(self, local: str | os.PathLike[str] | bytes, remote: str, mode: int = 0o644) -> None:
        """Copy a file of the host, or some bytes, into the guest.

        Raises:
            TransferError: the guest could not write it.
        """
        with self._talking() as session:
            session.push(local if isinstance(local, bytes) else Path(local), _absolute(remote), mode)

    @require(State.RUNNING)
    def pull(self, remote: str, local: str | os.PathLike[str] | None = None) -> bytes:
        """Return the content of a guest's file, and write it to a file of the host if one is named.

        Raises:
            TransferError: the guest could not read it.
        """
        with self._talking() as session:
            return session.pull(_absolute(remote), None if local is None else Path(local))

    # -- The kernel's log ------------------------------------------------------------------------------------------

    def log_mark(self) -> int:
        """Return the number that the log's next record will have; see `dmesg`."""
        return self._console.mark() if self._console else 0

    def dmesg(self, *, boot: bool = False, since: int | None = None) -> KernelLog:
        """Return the kernel's log since this machine is yours, up to its last line, also after a panic.

        Of a very long log the beginning and the end are there, with one record in between that says so.

        Args:
            boot: put what the frozen machine logged while it booted in front.
            since: only what came after `log_mark` had returned this.
        """
        records = self._records(since)
        if boot and self._template:
            records = [*parse_console(self._template.console().decode(errors="replace")), *records]
        return KernelLog(records, caption="Kernel log", columns=KmsgRecord.COLUMNS)

    # -- Inside -------------------------------------------------------------------------------------------------------

    def _running(self) -> Emulator:
        assert self._emulator is not None
        return self._emulator

    @contextlib.contextmanager
    def _talking(self) -> Iterator[Session]:
        """Give the session, and turn its end in the middle of a call into the reason for it."""
        assert self._session is not None
        session = self._session
        try:
            yield session
        except MachineLost as error:
            if error.reason == "starved" or session is not self._session or self._state is State.CLOSED:
                raise  # of the last: another thread has ended or replaced the machine, which loses nothing
            self._silent = error.reason == "hung"
            raise self._lost() from None

    def _lost(self) -> MachineLost:
        self._state = State.LOST
        # A guest that fell silent may have panicked since, at our own NMI.
        error = lost_error("hung" if self._silent else self._running().lost or "killed")
        error.records = tuple(self._records())
        return error

    def _watch(
        self, argv: Sequence[str], *, limit: float, own: Sequence[str] = (), stdin: bytes = b"",
        output_limit: int = OUTPUT_LIMIT, on_output: Callable[[int, bytes], object] | None = None,
    ) -> Watched:  # fmt: skip
        """Do one thing in the guest within so many seconds of its own time, and look for the place where it hangs.

        When it has ended, its lines of the kernel's log are there. Every step with modules comes through here.
        """
        with self._talking() as session:
            watched = watch(
                self._running(), session.channel, argv, limit=limit, own=own or tuple(self._code), stdin=stdin,
                output_limit=output_limit, on_output=on_output,
            )  # fmt: skip
            if watched.result is not None:
                self._await_log(watched.result.log_time)
        return watched

    def _hang(self, what: str, watched: Watched, seconds: float, before: int) -> KernelHang | MachineLost:
        """The error for what never ends; a machine of no more use is stopped, so that it costs nothing, and lost."""
        stall = watched.stall
        assert stall is not None
        if stall.fatal:
            with contextlib.suppress(MachineLost, TimeoutError):
                aio.call(self._running().pause(), timeout=10)
            self._silent, self._state = True, State.LOST
        records = self._records(before)[: max(0, stall.log_end - before)]
        if stall.manner == "silent":
            lost = lost_error("hung")
            lost.records = tuple(records)
            return lost
        return hang_error(what, stall, self._code.values(), seconds, watched.printed, records)

    def _await_log(self, log_time: float) -> None:
        aio.call(self._running().console.reach(log_time), timeout=10)

    def _records(self, since: int | None = None) -> list[KmsgRecord]:
        start = self._log_start if since is None else since
        return self._console.since(start) if self._console else []


def _absolute(remote: str) -> str:
    """A relative path in the guest means one below `HOME`."""
    return remote if remote.startswith("/") else f"{HOME}/{remote}"
