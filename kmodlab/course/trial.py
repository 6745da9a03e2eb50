# SPDX-License-Identifier: MIT
"""What a check gets: a fresh machine and the answer's module, with ways to use it that never wait for ever."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.lines import ModuleCode
from kmodlab.build.program import build_program
from kmodlab.course.checks import CheckFailed
from kmodlab.course.places import leak_words, stall_place
from kmodlab.errors import MachineLost, ModuleLoadError, UsageError
from kmodlab.guest.channel import TaskResult
from kmodlab.guest.session import CommandResult, LoadResult
from kmodlab.machine import ledger, refusals
from kmodlab.machine.clone import HOME
from kmodlab.machine.machine import Machine
from kmodlab.machine.stall import Stall
from kmodlab.records.kmsg import KernelLog

__all__ = ["Call", "Hung", "Trial"]

_CALLS = Path(__file__).with_name("calls.c")
_LIMIT = 6.0  # seconds that anything may take, of those in which the machine could run
_OUTPUT = 1 << 20


class Hung(Exception):
    """Something in the guest did not end.

    Attributes:
        what: was being done.
        stall: where it is.
        place: file and line of the module, or empty.
        starved: the host kept the machine from running for so long that this may be its fault.
    """

    def __init__(self, what: str, stall: Stall, place: str, *, starved: bool = False) -> None:
        super().__init__(what)
        self.what, self.stall, self.place, self.starved = what, stall, place, starved


@dataclass(frozen=True, slots=True)
class Call:
    """What a system call returned.

    Attributes:
        op: as asked for.
        result: what it returned, -1 on failure.
        errno: name of the error, such as ``EFAULT``; empty on success.
        data: what was read, or the int behind an ioctl's pointer.
    """

    op: str
    result: int
    errno: str
    data: bytes

    @property
    def value(self) -> int:
        """The data as an int of this machine."""
        return int.from_bytes(self.data[:4], "little", signed=True)

    def __str__(self) -> str:
        said = self.errno or str(self.result)
        return f"{self.op}: {said}"


class Trial:
    """One machine and one answer.

    Attributes:
        vm: the machine, fresh.
        built: the module.
    """

    def __init__(self, vm: Machine, built: ModuleArtifact) -> None:
        self.vm = vm
        self.built = built
        self._installed = False

    # -- The module ------------------------------------------------------------------------------------------------

    def load(self, **parameters: refusals.Parameter) -> None:
        """Load the module.

        Raises:
            CheckFailed: it has no such parameter.
            ModuleLoadError: the kernel refused it.
            KernelOops: it oopsed; `Hung`: its init never returned.
        """
        name = self.built.name
        try:
            line = refusals.parameter_line(name, self.built.file, parameters)
        except UsageError as error:
            raise CheckFailed("parameter", str(error)) from None
        mark = self.vm.log_mark()
        argv = ["@insmod", f"{HOME}/{name}.ko", "644", line, "0"]
        done = self._step(f"insmod {name}.ko {line}".strip(), argv, stdin=self.built.path.read_bytes())
        if done.exit_status != 0:
            log, release = self.vm.dmesg(since=mark), self.vm.kernel.release
            raise refusals.load_refused(name, LoadResult.of(done), log, file=self.built.file, release=release)

    def refused(self, **parameters: refusals.Parameter) -> str:
        """Return the name of the error with which the kernel refuses to load the module so; empty if it loads it."""
        try:
            self.load(**parameters)
        except ModuleLoadError as error:
            return errno.errorcode.get(error.errno, str(error.errno))
        return ""

    def unload(self) -> None:
        """Unload the module.

        Raises:
            ModuleUnloadError: the kernel refused.
            KernelOops: it oopsed; `Hung`: its exit never returned.
        """
        name = self.built.name
        done = self._step(f"rmmod {name}", ["@delete", name, "2048"])
        if done.exit_status != 0:
            raise refusals.unload_refused(name, LoadResult.of(done), self.vm.lsmod())

    @property
    def loaded(self) -> bool:
        """Whether the module is loaded now."""
        return self.built.name in {row.name for row in self.vm.lsmod()}

    @contextlib.contextmanager
    def no_leak(self, hint: str = "leak") -> Iterator[None]:
        """Keep a ledger while the block loads, uses and unloads the module.

        Raises:
            CheckFailed: something that the module allocated was not freed.
        """
        watched = ledger.watch(self.vm, self.built).start()
        # After a failure in the block nobody asks for the trace, and the end of one may wait for what hangs.
        yield
        watched.finish()
        left = watched.ledger.live if not watched.ledger.loaded else ()
        if left:
            raise CheckFailed(hint, f"never freed: {leak_words(left[0], self.built)}")

    # -- Using it -----------------------------------------------------------------------------------------------------

    def run(self, line: str, timeout: float = _LIMIT) -> CommandResult:
        """Run a line in the guest's bash.

        Raises:
            KernelOops: the kernel oopsed meanwhile; `Hung`: it did not end.
        """
        done = self._step(line, ["bash", "-c", line], timeout=timeout)
        return CommandResult.of(line, done)

    def calls(self, *ops: str, timeout: float = _LIMIT) -> list[Call]:
        """Make system calls in one program of the guest, and return what each returned.

        ``calls.c`` beside this file lists what can be asked for: ``"open /dev/x rw"``, ``"read 10"``, ``"read-bad 10"``
        (into a buffer that is not there), ``"seek 0 set"``, ``"ioctl 0x1234 7"``, ``"write TEXT"`` ….

        Raises:
            KernelOops: the kernel oopsed meanwhile; `Hung`: one did not return.
        """
        if not self._installed:
            self.vm.push(build_program(_CALLS, arch=self.vm.kernel.arch), f"{HOME}/calls", mode=0o755)
            self._installed = True
        done = self._step(_shortly(ops), [f"{HOME}/calls", *map(_hexed, ops)], timeout=timeout)
        lines = done.stdout.decode().splitlines()
        if len(lines) != len(ops):
            at = ops[len(lines)] if len(lines) < len(ops) else ops[-1]
            raise CheckFailed("command", f"the program was killed at {at!r} (status {done.exit_status})")
        return [_call(op, line) for op, line in zip(ops, lines, strict=True)]

    def expect(self, condition: object, hint: str, seen: str) -> None:
        """Go on only if a condition holds.

        Args:
            condition: what must be true.
            hint: key of the hint for who falls short here.
            seen: what was seen instead, in a sentence.

        Raises:
            CheckFailed: it does not hold.
        """
        if not condition:
            raise CheckFailed(hint, seen)

    def log(self) -> KernelLog:
        """Return what the kernel has logged in this machine."""
        return self.vm.dmesg()

    # -- Inside -------------------------------------------------------------------------------------------------------

    def _step(self, what: str, argv: Sequence[str], stdin: bytes = b"", timeout: float = _LIMIT) -> TaskResult:
        vm = self.vm
        if vm.state.value == "lost" or vm._emulator is None:
            raise MachineLost("use machine: it is gone", reason="ended")
        mark = vm.log_mark()
        watched = vm._watch(argv, limit=timeout, own=(self.built.name,), stdin=stdin, output_limit=_OUTPUT)
        if watched.result is None:
            assert watched.stall is not None
            place = stall_place(watched.stall, self.built)
            raise Hung(what, watched.stall, place, starved=watched.pulse.starved)
        vm._code.setdefault(self.built.name, ModuleCode.from_artifact(self.built))
        vm._raise_on_fault(what, mark)
        return watched.result


def _shortly(ops: Sequence[str]) -> str:
    return "; ".join(ops) if len(ops) <= 4 else f"{'; '.join(ops[:2])}; … {ops[-1]}"


def _hexed(op: str) -> str:
    return re.sub(r"^write (.*)$", lambda found: f"write {found[1].encode().hex()}", op, flags=re.DOTALL)


def _call(op: str, line: str) -> Call:
    result, number, data = line.split(" ")
    name = errno.errorcode.get(int(number), number) if int(number) else ""
    return Call(op, int(result), name, b"" if data == "-" else bytes.fromhex(data))
