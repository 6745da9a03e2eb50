# SPDX-License-Identifier: MIT
"""Shell lines of a cell, run in the guest: what they print is passed on while it comes, and failure is explained."""

from __future__ import annotations

import codecs
import contextvars
import sys

from kmodlab.errors import CommandError, CommandTimeout, KernelHang, ModuleUnloadError
from kmodlab.guest.session import CommandResult
from kmodlab.machine.machine import Machine

__all__ = ["Stream", "check", "modprobe_remove", "run"]


class Stream:
    """Takes pieces of output in any thread and writes them to the cell that made this object.

    ipykernel finds the cell that an output belongs to in a context variable, so each piece is written in a copy of
    the cell's context.
    """

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._targets = {1: sys.stdout, 2: sys.stderr}
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {number: decoder(errors="replace") for number in self._targets}

    def __call__(self, number: int, piece: bytes) -> None:
        """Write a piece of standard output (1) or standard error (2)."""
        self._write(number, self._decoders[number].decode(piece))

    def close(self) -> None:
        """Write what is left of a character that was cut."""
        for number, decoder in self._decoders.items():
            self._write(number, decoder.decode(b"", final=True))

    def _write(self, number: int, text: str) -> None:
        if text:
            self._context.run(self._targets[number].write, text)
            self._context.run(self._targets[number].flush)


def run(vm: Machine, script: str, timeout: float | None, *, live: bool) -> CommandResult:
    """Run shell lines in one bash and return what came of them, whatever the status.

    Args:
        vm: where.
        script: the lines.
        timeout: seconds; None means the setting.
        live: show what they print while it comes.

    Raises:
        CommandTimeout: they did not end in time.
        MachineLost: the machine ended meanwhile.
    """
    stream = Stream() if live else None
    try:
        return vm.run(script, timeout, on_output=stream)
    except CommandTimeout as error:
        # Without the lines, which stand in the cell.
        words = f"not done after {error.seconds:g} s (ETIMEDOUT); give it a longer --timeout"
        words = str(error).partition(": ")[2] if isinstance(error, KernelHang) else words
        error.args = (f"%%guest: {words}",)
        raise
    finally:
        if stream:
            stream.close()


def check(result: CommandResult) -> None:
    """Judge shell lines by their last one.

    Raises:
        CommandError: it ended with a status other than 0.
    """
    if result.exit_status == 0:
        return
    said = (result.stderr or result.stdout).strip().splitlines()
    raise CommandError(
        f"%%guest: {said[-1] if said else 'the last line failed'} (exit status {result.exit_status}); that is the "
        "status of the last line",
        exit_status=result.exit_status,
        stdout=result.stdout,
        stderr=result.stderr,
    )


def modprobe_remove(vm: Machine, name: str) -> None:
    """Unload a module, and what only it needed, as ``modprobe -r`` does.

    Raises:
        ModuleUnloadError: it could not; the message holds modprobe's words.
    """
    before = vm.log_mark()
    result = vm.run(["modprobe", "-r", "--", name])
    if result.exit_status:
        said = result.stderr.strip().removeprefix("modprobe: ").removeprefix("FATAL: ").rstrip(".")
        log = vm.dmesg(since=before)
        raise ModuleUnloadError(
            f"modprobe -r {name}: {said}; see %lsmod for who holds it", module=name, errno=0, records=log
        )
