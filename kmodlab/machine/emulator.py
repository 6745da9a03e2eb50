# SPDX-License-Identifier: MIT
"""One running QEMU: its process, its monitor and its open files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import Any

from qemu.qmp import ConnectError, EventListener, ExecInterruptedError, QMPClient, QMPError, StateError

from kmodlab import process
from kmodlab.errors import MachineError, MachineLost
from kmodlab.machine import qemu
from kmodlab.machine.console import Console
from kmodlab.machine.frozen import fix_size

__all__ = ["BootFiles", "Emulator"]

# User ids that nobody else has: systemd keeps this range for services that get one for the time they run.
_FIRST_UID, _LAST_UID = 61184, 65519
# What QEMU may have beyond the guest's memory: in use are 0.6 GB of addresses, 94 descriptors and 7 threads.
_ADDRESS_SPACE, _OPEN_FILES, _THREADS = 2 << 30, 512, 128
_LAST_WORDS = 2.0  # seconds that a panicked kernel has for printing, before its machine is given up
_PANIC, _TAIL = "Kernel panic - not syncing", 1 << 16
_IGNORE_SHARED: dict[str, object] = {"capabilities": [{"capability": "x-ignore-shared", "state": True}]}


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What a cold boot begins with: the kernel, its initramfs and its command line."""

    kernel: Path
    initramfs: Path
    arguments: str


class Emulator:
    """One QEMU process. All methods that wait are coroutines of `kmodlab.aio`'s loop.

    Attributes:
        console: what the guest prints.
        agent: our end of the agent's channel, until someone takes it over.
        dozing: it stands still because nobody talks to it.
        lost: why the machine is no longer of use (``panic``, ``killed``, ``ended``), or None.
    """

    def __init__(self, hardware: qemu.Hardware) -> None:
        self.hardware = hardware
        self.console = Console()
        self.lost: str | None = None
        self.dozing = False
        self.agent, self._agent_of_qemu = socket.socketpair()
        self._monitor, self._monitor_of_qemu = socket.socketpair()
        self._qmp = QMPClient("kmodlab")
        self._stderr = os.memfd_create("kmodlab-qemu-stderr", os.MFD_CLOEXEC)
        self._process: process.OwnedProcess | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, memory: int, root: Path, boot: BootFiles | None) -> None:
        """Start QEMU and return when its monitor answers.

        Args:
            memory: descriptor of the guest's memory; it is opened again by QEMU, not shared.
            root: the root file system's image.
            boot: what to boot, or None to wait for `restore`.

        Raises:
            HostSetupError: there is no QEMU.
            MachineError: QEMU refused to start; the message holds its own words.
        """
        with contextlib.ExitStack() as ours:
            fds = qemu.Descriptors(
                memory=memory,
                root=_hold(ours, os.open(root, os.O_RDONLY | os.O_CLOEXEC)),
                scratch=_hold(ours, _scratch()),
                console=_hold(ours, self.console.writer()),
                monitor=self._monitor_of_qemu.fileno(),
                agent=self._agent_of_qemu.fileno(),
            )
            load = None
            if boot:
                kernel, initramfs = (_hold(ours, _readable_by_all(path)) for path in (boot.kernel, boot.initramfs))
                load = qemu.Boot(kernel, initramfs, boot.arguments)
            argv = (*_confined(self.hardware.memory), *qemu.command_line(self.hardware, fds, load))
            inherited = (*fds.all(), *((load.kernel, load.initramfs) if load else ()))
            self._process = process.start_owned(argv, pass_fds=inherited, stderr=self._stderr)
        self._monitor_of_qemu.close()
        self._agent_of_qemu.close()
        try:
            await self._qmp.connect(self._monitor)
            await self._execute("migrate-set-capabilities", _IGNORE_SHARED)
        except (ConnectError, QMPError, EOFError, MachineLost) as error:
            raise MachineError(f"start QEMU: {self.complaint() or error}; ./lab doctor checks this host") from error
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch()), loop.create_task(self.console.keep_bounded())]

    async def restore(self, state: int) -> None:
        """Bring in the frozen state of a template (an open descriptor, read-only); the guest then runs on from there.

        Raises:
            MachineError: QEMU refused it.
        """
        try:
            self._qmp.send_fd_scm(state)
            await self._execute("getfd", {"fdname": "state"})
            await self._execute("migrate-incoming", {"uri": "fd:state"})
        except (QMPError, EOFError, MachineLost) as error:
            raise MachineError(f"restore the frozen machine: {self.complaint() or error}; run ./lab setup") from error

    async def freeze(self, state: int) -> None:
        """Stop the guest for good and write its device state to an open descriptor; its memory stays where it is.

        Raises:
            MachineError: QEMU could not.
        """
        self._qmp.send_fd_scm(state)
        await self._execute("getfd", {"fdname": "state"})
        # The guest runs when this begins, so that a clone runs as soon as it is restored.
        await self._execute("migrate", {"uri": "fd:state"})
        while (status := (await self._execute("query-migrate"))["status"]) not in {"completed", "failed"}:
            await asyncio.sleep(0.005)
        if status == "failed":
            raise MachineError(f"freeze the machine: {self.complaint() or 'QEMU could not write its state'}; try again")

    async def pause(self) -> None:
        """Stop the guest's processors."""
        self.dozing = False
        await self._execute("stop")

    async def doze(self) -> None:
        """Stop the guest's processors until something is asked of it; see `kmodlab.machine.doze`."""
        self.dozing = True
        with contextlib.suppress(MachineLost):
            await self._execute("stop")

    async def resume(self) -> None:
        """Let the guest's processors run again."""
        self.dozing = False
        await self._execute("cont")

    @property
    def can_nmi(self) -> bool:
        """Whether this kind of machine can be sent a non-maskable interrupt."""
        return qemu.architecture(self.hardware.arch).nmi

    async def inject_nmi(self) -> None:
        """Send the guest a non-maskable interrupt.

        Raises:
            MachineError: this kind of machine has none.
        """
        if not self.can_nmi:
            raise MachineError(f"send an NMI: a machine for {self.hardware.arch} has none in QEMU; look at vm.dmesg()")
        if self.dozing:
            await self.resume()
        await self._execute("inject-nmi")

    async def monitor(self, line: str) -> str:
        """Return what QEMU's monitor for people answers to a line; only it can read virtual memory."""
        return str(await self._execute("human-monitor-command", {"command-line": line}))

    @property
    def pid(self) -> int | None:
        """The process id of QEMU itself, or None if it has ended."""
        return self._process.child_pid if self._process else None

    def complaint(self) -> str:
        """Return the last line that QEMU wrote about a trouble of its own, or an empty text."""
        text = os.pread(self._stderr, 1 << 16, 0).decode(errors="replace") if self._stderr >= 0 else ""
        lines = [line for line in text.splitlines() if line.startswith("qemu") and "warning:" not in line]
        return lines[-1] if lines else ""

    async def stop(self) -> None:
        """End QEMU and close every descriptor; safe to call at any time and more than once."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._process:
            self._process.let_go()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended(), 10)
            self._process.close()
        with contextlib.suppress(Exception):
            await self._qmp.disconnect()
        for end in (self.agent, self._agent_of_qemu, self._monitor, self._monitor_of_qemu):
            end.close()
        self.console.close()
        stderr, self._stderr = self._stderr, -1
        if stderr >= 0:
            os.close(stderr)

    async def _execute(self, command: str, arguments: dict[str, object] | None = None) -> Any:
        try:
            return await self._qmp.execute(command, arguments)
        except (StateError, ExecInterruptedError, EOFError) as error:
            raise MachineLost("talk to QEMU: it has ended; reset() gives a fresh machine", reason="killed") from error

    async def _watch(self) -> None:
        """Wait for the end: the guest's panic, or QEMU's; then hang up, so that nobody waits for an answer."""
        with self._qmp.listener(("GUEST_PANICKED", "SHUTDOWN")) as events:
            guest = asyncio.ensure_future(events.get())
            qemu_itself = asyncio.ensure_future(self._ended())
            try:
                await asyncio.wait({guest, qemu_itself}, return_when=asyncio.FIRST_COMPLETED)
                if guest.done():
                    self.lost = _why(guest.result(), self.console)
                    await _last_words(guest.result(), events, qemu_itself)
                else:
                    self.lost = "killed"
            finally:
                guest.cancel()
                qemu_itself.cancel()
        with contextlib.suppress(OSError):
            self.agent.shutdown(socket.SHUT_RDWR)

    async def _ended(self) -> None:
        """Wait until the process has ended. Its sockets do not tell: others may hold their far ends."""
        assert self._process
        descriptor, loop = self._process.exit_descriptor, asyncio.get_running_loop()
        if descriptor < 0:
            return
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)


async def _last_words(event: Mapping[str, Any], events: EventListener, ended: asyncio.Future[Any]) -> None:
    """Wait until a panic has been printed: since Linux 6.12 that may come after the event; a reboot ends it."""
    if event["event"] != "GUEST_PANICKED":
        return
    reboot: asyncio.Future[Any] = asyncio.ensure_future(events.get())
    await asyncio.wait({reboot, ended}, timeout=_LAST_WORDS, return_when=asyncio.FIRST_COMPLETED)
    reboot.cancel()


def _why(event: Mapping[str, Any], console: Console) -> str:
    """What an event of QEMU says of the end of the guest: a signal to QEMU is no doing of the guest."""
    if event["event"] == "GUEST_PANICKED":
        return "panic"
    reason = str(event.get("data", {}).get("reason", ""))
    # A kernel without pvpanic (Debian's for arm64 have none) only starts anew; of that its own last words tell.
    if reason == "guest-reset" and _PANIC in console.text()[-_TAIL:]:
        return "panic"
    return "killed" if reason.startswith("host") else "ended"


def _hold(stack: contextlib.ExitStack, fd: int) -> int:
    stack.callback(os.close, fd)
    return fd


def _readable_by_all(path: Path) -> int:
    """A copy in memory: QEMU opens its files anew, as a user who may not read those of ours."""
    fd = os.memfd_create(f"kmodlab-{path.name}", os.MFD_CLOEXEC)
    with path.open("rb") as source, open(fd, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return fd


def _scratch() -> int:
    """A disk of zeros that exists only as long as QEMU has it open."""
    fd = os.memfd_create("kmodlab-scratch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(fd, qemu.SCRATCH_BYTES)
    fix_size(fd)
    return fd


def _confined(memory: int) -> tuple[str, ...]:
    """The programs before QEMU that take from it what a guest that broke out of it could misuse.

    They are options of setpriv, by which `kmodlab.process` starts it, or programs that replace themselves by the next.
    The order matters: a change of user makes the kernel forget the signal that QEMU is to get at its supervisor's end,
    so setpriv comes again after it.
    """
    limits: tuple[str, ...] = (
        "prlimit",
        f"--as={(memory << 20) + _ADDRESS_SPACE}",
        f"--nofile={_OPEN_FILES}",
        "--core=0",
        "--memlock=0",
    )
    privileged = _may_change_user()
    rights: tuple[str, ...] = ("setpriv", "--pdeathsig", "KILL", "--no-new-privs")
    if privileged:
        uid = str(random.randint(_FIRST_UID, _LAST_UID))
        rights += ("--reuid", uid, "--regid", uid, "--clear-groups", "--bounding-set", "-all")
        # A limit for each user id, threads included: of a user who has other programs too it would count those.
        limits += (f"--nproc={_THREADS}",)
    return (*_no_network(privileged), *rights, *limits, "--")


def _no_network(privileged: bool) -> tuple[str, ...]:
    """The program that puts QEMU into a network of its own, without any interface; none where this host forbids it."""
    way: tuple[str, ...] = ("unshare", "--net", "--") if privileged else ("unshare", "--user", "--net", "--")
    return way if _works(way) else ()


@once
def _may_change_user() -> bool:
    """Whether we are root and those user ids exist here (in a user namespace they may not)."""
    if os.geteuid() != 0:
        return False
    probe = ("setpriv", "--reuid", str(_LAST_UID), "--regid", str(_LAST_UID), "--clear-groups")
    return _works((*probe, "--bounding-set", "-all"))


@once
def _works(prefix: tuple[str, ...]) -> bool:
    return process.run((*prefix, "true"), timeout=10).exit_status == 0


def lost_error(reason: str) -> MachineLost:
    """Return the error for a machine that is lost."""
    words = {
        "panic": "the kernel panicked",
        "killed": "QEMU was killed from outside or ended by itself",
        "ended": "the guest shut itself down",
        "hung": "the guest no longer answers",
    }.get(reason, reason)
    return MachineLost(f"use machine: {words}; reset() gives a fresh one", reason=reason)
