# SPDX-License-Identifier: MIT
"""A disposable virtual machine: a clone of a frozen one, with the kernel's own verbs as methods."""

from __future__ import annotations

import atexit
import contextlib
import enum
import os
import secrets
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from kmodlab import aio
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.lines import ModuleCode, with_lines
from kmodlab.config import settings
from kmodlab.errors import (
    CommandError,
    CommandTimeout,
    HostSetupError,
    KernelOops,
    MachineError,
    MachineLost,
    MachineStateError,
    ModuleLoadError,
    RecordParseError,
    SandboxError,
    TransferError,
)
from kmodlab.guest.session import CommandResult, Session
from kmodlab.machine import provision, refusals
from kmodlab.machine.console import Console
from kmodlab.machine.emulator import Emulator, lost_error
from kmodlab.machine.outside import Outside, look
from kmodlab.machine.template import Template
from kmodlab.machine.trust import Expected, Suspicion, suspicions
from kmodlab.records.dependencies import DependencyGraph
from kmodlab.records.elf import ModuleFile, read_module
from kmodlab.records.kmsg import KernelLog, KmsgRecord, parse_console
from kmodlab.records.memory import MemorySnapshot
from kmodlab.records.modinfo import ModInfo
from kmodlab.records.modules import LoadedModule, parse_modules
from kmodlab.records.report import Report, parse_reports
from kmodlab.records.table import Rows
from kmodlab.records.taint import Taint, parse_taint

__all__ = ["Machine", "State"]

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Machine")

Parameter = str | int | bool | Sequence[int | str]

_started: weakref.WeakSet[Machine] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End what still runs when Python exits, while there is still an event loop to do it in an orderly way."""
    for machine in list(_started):
        machine.kill()


HOME = "/root"
"""The guest's folder for what is pushed; commands start there."""


class State(enum.Enum):
    """What a machine can be."""

    NEW = "not started"
    RUNNING = "running"
    PAUSED = "paused"
    LOST = "lost"
    CLOSED = "closed"


def _require(*allowed: State) -> Callable[[Callable[Concatenate[M, P], R]], Callable[Concatenate[M, P], R]]:
    """Let a method run only in one of these states; elsewhere it raises `MachineStateError` or `MachineLost`."""

    def decorate(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
        @wraps(method)
        def guarded(self: M, /, *args: P.args, **kwargs: P.kwargs) -> R:
            state = self.state
            if state is State.LOST:
                raise self._lost()
            if state not in allowed:
                wanted = " or ".join(one.value for one in allowed)
                raise MachineStateError(f"{method.__name__}: the machine is {state.value}, it must be {wanted}")
            return method(self, *args, **kwargs)

        return guarded

    return decorate


class Machine:
    """One disposable virtual machine.

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
        self._files: dict[str, ModuleFile] = {}
        self._code: dict[str, ModuleCode] = {}
        self._expected = Expected()
        self._silent = False

    # -- Life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start a fresh clone."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.kill()

    @_require(State.NEW, State.CLOSED)
    def start(self) -> Self:
        """Start a fresh clone of the frozen machine, making that first if there is none.

        Raises:
            HostSetupError, ImageError: the host or the cache lacks something.
            MachineError: QEMU or the guest did not come up.
        """
        if self._template is None:
            self._template = provision.template(*self._wanted)
        try:
            self._clone(self._template)
        except BaseException:
            self.kill()
            raise
        return self

    def _clone(self, template: Template) -> None:
        emulator = self._emulator = Emulator(template.hardware)
        self._console = emulator.console
        _started.add(self)
        aio.call(emulator.start(template.memory(), template.image.root, boot=None), timeout=30)
        state = template.open_state()
        try:
            aio.call(emulator.restore(state), timeout=30)
        finally:
            os.close(state)
        try:
            session = self._session = Session.open(emulator.agent, timeout=30)
        except MachineLost:
            words = emulator.complaint() or "the clone does not answer"
            raise MachineError(f"start machine: {words}; try again, or run ./lab setup") from None
        session.identify(mac=f"52:54:00:{secrets.token_bytes(3).hex(':')}")
        self._files.clear()
        self._code.clear()
        self._expected = Expected(set(template.modules()))
        self._silent = False
        self._log_start = emulator.console.mark()
        self._state = State.RUNNING

    def reset(self) -> Self:
        """Replace the machine by a fresh one; nothing of the last survives. Works in every state."""
        self.kill()
        return self.start()

    def kill(self) -> None:
        """End the machine at once; a second call does nothing. Its log stays readable."""
        emulator, self._emulator = self._emulator, None
        session, self._session = self._session, None
        if session:
            session.close()
        if emulator:
            aio.call(emulator.stop())
        self._state = State.CLOSED

    close = kill

    @_require(State.RUNNING)
    def pause(self) -> None:
        """Stop the machine's processors, so that it costs nothing; see `resume`."""
        aio.call(self._running().pause(), timeout=30)
        self._state = State.PAUSED

    @_require(State.PAUSED)
    def resume(self) -> None:
        """Let a paused machine run on."""
        aio.call(self._running().resume(), timeout=30)
        self._state = State.RUNNING

    @property
    def state(self) -> State:
        """What the machine is now; a lost one is noticed here."""
        if self._state in {State.RUNNING, State.PAUSED} and self._emulator and self._emulator.lost:
            self._state = State.LOST
        return self._state

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

    @_require(State.RUNNING)
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
            timeout: seconds; None means the setting.
            stdin: what it reads.
            on_output: called with 1 or 2 and each piece of output as it comes, in kmodlab's own thread.

        Raises:
            CommandTimeout: it did not end in time.
            MachineLost: the machine ended meanwhile.
        """
        before = self.log_mark()
        with self._talking() as session:
            try:
                result = session.run(command, timeout, stdin=stdin, on_output=on_output)
            except CommandTimeout as late:
                late.records = tuple(self._records(before))
                raise
            self._await_log(result.log_time)
        return result

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

    @_require(State.RUNNING)
    def push(self, local: str | os.PathLike[str] | bytes, remote: str, mode: int = 0o644) -> None:
        """Copy a file of the host, or some bytes, into the guest.

        Raises:
            TransferError: the guest could not write it.
        """
        with self._talking() as session:
            session.push(local if isinstance(local, bytes) else Path(local), _absolute(remote), mode)

    @_require(State.RUNNING)
    def pull(self, remote: str, local: str | os.PathLike[str] | None = None) -> bytes:
        """Return the content of a guest's file, and write it to a file of the host if one is named.

        Raises:
            TransferError: the guest could not read it.
        """
        with self._talking() as session:
            return session.pull(_absolute(remote), None if local is None else Path(local))

    # -- Modules --------------------------------------------------------------------------------------------------

    @_require(State.RUNNING)
    def insmod(self, module: ModuleArtifact | str | os.PathLike[str], /, **parameters: Parameter) -> LoadedModule:
        """Load a module: copy its file into the guest and hand it to the kernel, as ``insmod`` does.

        Args:
            module: what `kmodlab.build` returned, or the path of a ``.ko`` on the host.
            parameters: the module's parameters.

        Returns:
            Its row of ``/proc/modules``.

        Raises:
            ModuleLoadError: the kernel refused it.
            KernelOops: the kernel reported a fault while the module's init ran.
            UsageError: the module has no such parameter.
        """
        path = module.path if isinstance(module, ModuleArtifact) else Path(module)
        data = path.read_bytes()
        file = module.file if isinstance(module, ModuleArtifact) else read_module(data)
        name = file.name
        line = refusals.parameter_line(name, file, parameters)
        self._code[name.replace("-", "_")] = ModuleCode.of(module, name, data)
        before = self.log_mark()
        with self._talking() as session:
            done = session.push_and_load(data, f"{HOME}/{name}.ko", line)
            self._await_log(done.log_time)
        self._raise_on_fault(f"insmod {name}.ko", before)
        log = self._records(before)
        if not done.ok:
            raise refusals.load_refused(name, done, log, file=file, release=self.kernel.release)
        self._files[name] = file
        self._expected.load(file)
        return self._row(name)

    @_require(State.RUNNING)
    def rmmod(self, name: str) -> None:
        """Unload a module, as ``rmmod`` does.

        Raises:
            ModuleUnloadError: the kernel refused: it is in use, or not loaded.
            KernelOops: the kernel reported a fault while the module's exit ran.
        """
        before = self.log_mark()
        with self._talking() as session:
            done = session.delete(name.replace("-", "_"))
            self._await_log(done.log_time)
        self._raise_on_fault(f"rmmod {name}", before)
        if not done.ok:
            raise refusals.unload_refused(name, done, self.lsmod(), self._records(before))
        self._expected.unload(name)

    @_require(State.RUNNING)
    def modprobe(self, name: str, /, **parameters: Parameter) -> LoadedModule:
        """Load a module of the distribution's tree and all that it needs, as the command ``modprobe`` does.

        Raises:
            ModuleLoadError: there is none of that name, or the kernel refused it.
        """
        line = refusals.parameter_line(name, None, parameters)
        before = self.log_mark()
        result = self.run(["modprobe", "--", name, *line.split()])
        self._raise_on_fault(f"modprobe {name}", before)
        if result.exit_status:
            said = result.stderr.strip().removeprefix("modprobe: ").removeprefix("FATAL: ")
            raise ModuleLoadError(
                f"modprobe {name}: {said}; look for its name with: find /lib/modules -name '*.ko*'",
                module=name,
                errno=0,
                records=self._records(before),
            )
        self._expected.load(name)
        return self._row(name)

    @_require(State.RUNNING)
    def lsmod(self) -> Rows[LoadedModule]:
        """Return the rows of ``/proc/modules``, newest first, as ``lsmod`` lists them."""
        return parse_modules(self._snapshot("/proc/modules"))

    @_require(State.RUNNING)
    def modinfo(self, module: ModuleArtifact | str) -> ModInfo:
        """Return what ``modinfo`` says of a built module, or of one of the distribution's tree by its name."""
        if isinstance(module, ModuleArtifact):
            return ModInfo.from_file(module.file, filename=module.path.name)
        return ModInfo.from_file(self._file(module), filename=f"{module}.ko")

    # -- What the kernel says ---------------------------------------------------------------------------------------

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

    def reports(self) -> Rows[Report]:
        """Return what the kernel reported since this machine is yours: oopses, warnings, hangs, in their order.

        Of modules loaded by `insmod` from a file or a build the lines of their source are filled in. Like `dmesg` it
        reads the console, so it works after a panic too.
        """
        return self._reports()

    @property
    def damaged(self) -> str:
        """The title of the first oops, BUG or panic since this machine is yours; empty if it is sound.

        A machine goes on after an oops, so that it can be looked at, but nothing that it says is to be relied on.
        """
        return next((report.title for report in parse_reports(self._records(), modules=self._code) if report.oops), "")

    @_require(State.RUNNING)
    def taint(self) -> Taint:
        """Return the kernel's taint flags, from ``/proc/sys/kernel/tainted``."""
        return parse_taint(self._snapshot("/proc/sys/kernel/tainted"))

    @_require(State.RUNNING)
    def memory(self) -> MemorySnapshot:
        """Return what the loaded modules and the kernel's allocators hold now; see `MemorySnapshot`."""
        with self._talking() as session:
            texts = session.snapshot(MemorySnapshot.PATHS)
        rows = parse_modules(_text_of(texts, "/proc/modules"))
        return MemorySnapshot.from_files(texts, self._module_files(rows))

    @_require(State.RUNNING)
    def dependencies(self, *names: str) -> DependencyGraph:
        """Return which loaded module leans on which, with the symbols: of all, or of these and what they need."""
        rows = self.lsmod()
        graph = DependencyGraph.from_rows(rows, self._module_files(rows))
        return graph.around(*names) if names else graph

    @_require(State.RUNNING)
    def outside(self) -> Outside:
        """Return the kernel's list of modules and its taint as they stand in the machine's memory.

        Nothing in the guest is asked, so nothing in the guest can lie about it; but a module that takes itself off the
        list is not on it.
        """
        assert self._template is not None
        work = look(self._running(), self.kernel, self._template.symbols())
        return aio.call(work, timeout=120)

    @_require(State.RUNNING)
    def suspicions(self) -> Rows[Suspicion]:
        """Return what does not go together of what was loaded, what memory says (`outside`) and what the guest says.

        It is empty for a guest that tells the truth. It writes one line with a random word to the guest's log, and
        stops the machine for some milliseconds. A module that is removed by a command in the guest, and not by `rmmod`,
        is missed here. ``vm/README.md`` says which lies cannot be found.
        """
        return suspicions(self)

    @contextlib.contextmanager
    def expect_oops(self) -> Iterator[list[Report]]:
        """Turn a fault of the kernel that the lesson wants into data.

        Yields:
            A list that holds, after the block, what the kernel reported in it, see `Report`.

        Raises:
            AssertionError: the block ended without an oops, a BUG or a panic.
        """
        caught: list[Report] = []
        before = self.log_mark()
        with contextlib.suppress(KernelOops, MachineLost, CommandTimeout):
            yield caught
        found = self._reports(before)
        if not any(report.oops for report in found):
            raise AssertionError("expect_oops: the kernel reported no fault in this block")
        caught.extend(found)

    # -- Inside -------------------------------------------------------------------------------------------------------

    def _running(self) -> Emulator:
        assert self._emulator is not None
        return self._emulator

    @contextlib.contextmanager
    def _talking(self) -> Iterator[Session]:
        """Give the session, and turn its end in the middle of a call into the reason for it."""
        assert self._session is not None
        try:
            yield self._session
        except MachineLost as error:
            self._silent = error.reason == "hung"
            raise self._lost() from None

    def _lost(self) -> MachineLost:
        self._state = State.LOST
        emulator = self._running()
        error = lost_error(emulator.lost or ("hung" if self._silent else "killed"))
        error.records = tuple(self._records())
        return error

    def _await_log(self, log_time: float) -> None:
        aio.call(self._running().console.reach(log_time), timeout=10)

    def _records(self, since: int | None = None) -> list[KmsgRecord]:
        start = self._log_start if since is None else since
        return self._console.since(start) if self._console else []

    def _raise_on_fault(self, what: str, before: int) -> None:
        oops = next((report for report in self._reports(before) if report.oops), None)
        if oops:
            place = f" at {oops.where.file}:{oops.where.line}" if oops.where else ""
            raise KernelOops(
                f"{what}: {oops.title}{place}; the kernel is damaged: look at vm.dmesg(), then vm.reset()",
                title=oops.title,
                records=oops.records,
                report=oops,
            )

    def _reports(self, since: int | None = None) -> Rows[Report]:
        """What the kernel reported, with the lines of the modules that were loaded from here."""
        found = parse_reports(self._records(since), modules=self._code)
        # The report is worth more than its lines: without them where the sandbox refuses.
        with contextlib.suppress(SandboxError, HostSetupError, RecordParseError):
            return with_lines(found, self._code.values()) if found else found
        return found

    def _snapshot(self, path: str) -> str:
        with self._talking() as session:
            return _text_of(session.snapshot([path]), path)

    def _row(self, name: str) -> LoadedModule:
        """The row of a module that was just loaded."""
        wanted = name.replace("-", "_")
        for row in self.lsmod():
            if row.name == wanted:
                return row
        raise ModuleLoadError(
            f"load {name}: the kernel accepted it, but it does not stand in /proc/modules; see vm.dmesg()",
            module=name,
            errno=0,
            records=self._records(),
        )

    def _module_files(self, rows: Sequence[LoadedModule]) -> Mapping[str, ModuleFile]:
        """The files of loaded modules: our own, and those of the kernel's tree. One from elsewhere is left out."""
        found = {}
        for row in rows:
            with contextlib.suppress(FileNotFoundError, RecordParseError):
                found[row.name] = self._file(row.name)
        return found

    def _file(self, name: str) -> ModuleFile:
        name = name.replace("-", "_")
        if name not in self._files:
            self._files[name] = provision.tree_file(self.kernel, name)
        return self._files[name]


def _text_of(texts: Mapping[str, bytes], path: str) -> str:
    """The text of a file that every guest has."""
    if path not in texts:
        raise TransferError(f"read {path}: the guest has no such file, or hides it; see vm.suspicions()")
    return texts[path].decode(errors="replace")


def _absolute(remote: str) -> str:
    """A relative path in the guest means one below `HOME`."""
    return remote if remote.startswith("/") else f"{HOME}/{remote}"
