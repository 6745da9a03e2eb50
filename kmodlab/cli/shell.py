# SPDX-License-Identifier: MIT
"""``shell``: a terminal in a fresh machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import click

from kmodlab import aio
from kmodlab.cli.output import Output
from kmodlab.cli.stages import need_stages
from kmodlab.progress import say

__all__ = ["command"]

_PIECE = 1 << 16


@click.command()
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, metavar="[PATH]...")
@click.option("--kernel", "release", metavar="RELEASE", help="The kernel to run; the default one otherwise.")
@click.option("--memory", type=click.IntRange(128, 4096), help="MiB of the machine.")
@click.pass_obj
def command(output: Output, paths: tuple[Path, ...], release: str | None, memory: int | None) -> int:
    """Open a terminal in a fresh machine; modules at PATH are built and pushed to /root first.

    The machine ends with the shell, and nothing of it is kept. Without a terminal, standard input is a script for it.
    The status is that of the shell.
    """
    from kmodlab.build.build import build
    from kmodlab.build.source import ModuleSource
    from kmodlab.guest.terminal import terminal_argv
    from kmodlab.host.kernels import ensure_kernel
    from kmodlab.machine.machine import Machine

    need_stages()
    kernel = ensure_kernel(release)
    artifacts = [build(ModuleSource.from_path(path), kernel) for path in paths]
    with Machine(kernel, memory=memory) as vm:
        for artifact in artifacts:
            for one in (artifact, *artifact.others):
                vm.push(one.path, f"{one.name}.ko")
                say(f"pushed {one.name}.ko: insmod {one.name}.ko loads it")
        assert vm._session
        channel = vm._session.channel
        with _raw_terminal() as size:
            argv, env = ["bash", "-s"], {}
            if size:
                say(f"Linux {kernel.release}, a machine of your own; exit or Ctrl-D ends it\r")
                lines, columns = size
                argv = terminal_argv(lines, columns)
                env = {"TERM": os.environ.get("TERM", "vt100")}
            with _typed() as typed:
                done = aio.call(channel.task(argv, stdin=typed, env=env, keep=False, on_output=_print))
    status = done.exit_status
    return 3 if status is None else 128 - status if status < 0 else status


def _print(stream: int, data: bytes) -> None:
    """Write what the guest prints as it comes."""
    while data:
        try:
            data = data[os.write(stream, data) :]
        except BlockingIOError:
            continue


@contextlib.contextmanager
def _raw_terminal() -> Iterator[tuple[int, int] | None]:
    """Hand every key to the guest while the block lasts; give the terminal's lines and columns, or None without one."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield None
        return
    before = termios.tcgetattr(0)
    columns, lines = os.get_terminal_size()
    try:
        tty.setraw(0)
        yield lines, columns
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _typed() -> Iterator[AsyncIterator[bytes]]:
    """Give what comes on standard input, piece by piece, in kmodlab's event loop."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(4)
    loop = aio.loop()

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await queue.get():
            yield piece

    def read() -> None:
        piece = b"."
        while piece:
            piece = os.read(0, _PIECE)
            asyncio.run_coroutine_threadsafe(queue.put(piece), loop).result()

    # A thread of its own, which may sit in read(2) when the shell has ended: it must not keep Python from ending.
    threading.Thread(target=read, name="kmodlab-stdin", daemon=True).start()
    yield pieces()
