# SPDX-License-Identifier: MIT
"""The compile sandbox without namespaces: Landlock says which files can be opened, seccomp what else can be asked for.

A small program of ours (``confine/``) shuts itself in, runs the job, and ends all that the job leaves behind. There is
no root of the job's own, so the files it works with lie where they are: its working folder in the cache, a kernel's
headers where they were unpacked. `Names` makes that invisible.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import secrets
import select
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from kmodlab import process
from kmodlab.build.cache import Store
from kmodlab.build.sandbox import WORK, Job, Limits, Outcome
from kmodlab.build.sandbox.common import host_folders, judge, late, over
from kmodlab.build.sandbox.folder import fill, gather, new_folder
from kmodlab.build.sandbox.names import Names
from kmodlab.config import settings
from kmodlab.errors import HostSetupError, SandboxError

__all__ = ["Landlock", "probe"]

_FORMAT = 1
_FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-s")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_CREATE_RULESET, _ASK_VERSION = 444, 1  # landlock_create_ruleset(2), the same number on every architecture
_END = 30.0  # seconds for the last processes of a job to go
_LIMITS = {signal.SIGXCPU: "cpu", signal.SIGXFSZ: "file_size"}
_NEWEST = 1 << 15


@dataclass(frozen=True, slots=True)
class Landlock:
    """A `Sandbox` by Landlock and seccomp.

    Attributes:
        version: of the kernel's Landlock, up to which it is used.
    """

    version: int

    @property
    def name(self) -> str:
        """``Landlock``, and its version here."""
        return f"Landlock (version {self.version}, seccomp)"

    @property
    def in_place(self) -> bool:
        """See `Sandbox.in_place`."""
        return True

    def run(self, job: Job, watch: Callable[[bytes], object] | None = None) -> Outcome:
        """See `Sandbox.run`."""
        try:
            with new_folder(_place()) as folder:
                return self._run(job, folder, watch)
        except OSError as error:
            raise SandboxError(
                f"{job.title}: write {_place()}: {error.strerror}; "
                "make room there, or set KMODLAB_CACHE to a folder elsewhere"
            ) from error

    def _run(self, job: Job, folder: Path, watch: Callable[[bytes], object] | None) -> Outcome:
        binds = tuple((outside.resolve(), inside) for outside, inside in job.binds)
        names = Names(((folder, WORK), *((outside, str(inside)) for outside, inside in binds)))
        _usable(folder, *(outside for outside, _ in binds))
        translated = {name: names.inward(_text(job.files[name])).encode() for name in job.files if job.speaks(name)}
        fill(folder, {**job.files, **translated})
        (folder / ".tmp").mkdir(exist_ok=True)
        user = (1 << 30) + secrets.randbelow(1 << 29) if os.geteuid() == 0 else None
        if user is not None:  # access(2), which the compiler asks, knows no right but that of the user
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user, user)
        argv = [*self._enter(job.limits, [outside for outside, _ in binds], user), "--", *map(names.inward, job.argv)]
        seen = (lambda piece: watch(names.outward(piece))) if watch else None
        done, word = _supervised(argv, job, folder, _environment(job, folder, names), seen)
        output = names.outward(done.stdout).decode(errors="replace")
        status = _status(job, done, word, output)
        files = gather(folder, job.results, job.limits.output)
        if files is None:
            raise over("output", job, output)
        for name in filter(job.speaks, files):
            files[name] = names.outward(files[name])
        return Outcome(status, output, files, done.seconds)

    def _enter(self, limits: Limits, folders: list[Path], user: int | None) -> Iterator[str]:
        """The helper's arguments, up to the job's own."""
        yield from (str(_helper()), f"owner={os.getpid()}")
        yield from (f"memory={limits.memory}", f"processes={limits.processes}", f"file={limits.file_size}")
        yield from (f"cpu={limits.cpu}", f"space={limits.space}")
        if user is not None:
            yield f"user={user}"
        yield f"newest={self.version}"
        yield from (f"device=/dev/{name}" for name in _DEVICES)
        yield from (f"read={path}" for path in (*host_folders("/usr"), *folders))


def _place() -> Path:
    """Where working folders lie. For root it must be a place that the job's own user id may pass."""
    return Path("/run/kmodlab") if os.geteuid() == 0 else settings().cache / "work"


def _environment(job: Job, folder: Path, names: Names) -> dict[str, str]:
    given = {name: names.inward(value) for name, value in job.env.items()}
    flags = {"KCFLAGS": names.flags(), "KAFLAGS": names.flags()}
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder / ".tmp"), **flags, **given}


def _usable(*folders: Path) -> None:
    """Refuse what make or a shell would read as something else than a name."""
    for folder in folders:
        if found := re.search(r"[\s:;#$%&|<>()'\"`\\*?=]", str(folder)):
            raise SandboxError(
                f"build in {folder}: make takes no {found[0]!r} in a name; set KMODLAB_CACHE to a folder without"
            )


def _text(content: bytes) -> str:
    return content.decode(errors="surrogateescape")


def _supervised(
    argv: list[str], job: Job, folder: Path, env: dict[str, str], watch: Callable[[bytes], object] | None
) -> tuple[process.Finished, str]:
    """Run the helper; return what came of it, and what it reports. Nothing of the job lives when this ends.

    Raises:
        SandboxError: the job was not done in time.
    """
    ours, theirs = os.pipe()
    argv.insert(1, f"report={theirs}")
    word = ""
    try:
        try:
            done = process.run(
                argv,
                timeout=job.limits.wall,
                cwd=folder,
                env=env,
                pass_fds=(theirs,),
                limit=job.limits.output,
                watch=watch,
            )
        finally:
            os.close(theirs)
            word = _to_the_end(ours)
    except process.ProcessTimeout as stopped:
        raise late(job, stopped.finished) from None
    finally:
        os.close(ours)
    return done, word


def _to_the_end(report: int) -> str:
    """What the supervisor says; it holds its end until the last process of the job has gone."""
    said = b""
    while select.select([report], [], [], _END)[0] and (piece := os.read(report, 1 << 12)):
        said += piece
    return said.decode(errors="replace").strip()


def _status(job: Job, done: process.Finished, word: str, output: str) -> int:
    """The job's exit status, as a shell tells it.

    Raises:
        SandboxError: it went over a limit, or was never run.
    """
    kind, _, rest = word.partition(" ")
    if done.cut:
        raise over("output", job, output)
    if kind == "failed":
        raise SandboxError(f"enter the compile sandbox: {rest}; {_FORBIDDEN}", output=word)
    if kind == "over":
        raise over(rest, job, output)
    if kind not in {"exit", "signal"}:
        raise SandboxError(
            f"{job.title}: ended before its results could be read; try again, and look whether the host is short of "
            "memory",
            output=output + done.stderr.decode(errors="replace"),
        )
    number = int(rest)
    if kind == "signal" and number in _LIMITS:
        raise over(_LIMITS[signal.Signals(number)], job, output)
    status = number if kind == "exit" else 128 + number
    if status:
        judge(job, output)
    return status


_FORBIDDEN = "it needs Linux 5.13 with Landlock (lsm=landlock,… on the kernel's command line) and seccomp"


@once
def _helper() -> Path:
    """The program ``confine``, compiled here unless that was done before. It is ours: no sandbox is needed for it.

    Raises:
        HostSetupError: there is no compiler for it.
    """
    folder = Path(__file__).with_name("confine")
    sources = {path.name: path.read_bytes() for path in sorted(folder.glob("*.[ch]"))}
    facts = (_FORMAT, os.uname().machine, _FLAGS, [(name, content.decode()) for name, content in sources.items()])
    key, store = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40], Store(settings().cache / "programs")
    entry = store.get(key) or store.put(key, {"confine": _compiled(folder)}, {}, mode=0o755)
    return entry.path("confine")


def _compiled(folder: Path) -> bytes:
    # musl brings no headers of the kernel; those of the C library's package come after its own.
    headers = ("-idirafter", "/usr/include", "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu")
    if process.which("musl-gcc") is None:
        raise HostSetupError("enter the compile sandbox: musl-gcc is not installed; apt-get install musl-tools")
    with tempfile.TemporaryDirectory() as place:
        program = Path(place, "confine")
        files = sorted(folder.glob("*.c"))
        done = process.run(["musl-gcc", *_FLAGS, *headers, "-o", program, *files], timeout=60)
        if done.exit_status:
            said = done.text.strip().partition("\n")[0]
            raise HostSetupError(
                f"enter the compile sandbox: compile confine: {said}; apt-get install musl-tools linux-libc-dev"
            )
        return program.read_bytes()


@once
def probe(newest: int = _NEWEST) -> Landlock:
    """Return the sandbox by Landlock, having tried it.

    Args:
        newest: the version of Landlock up to which it is used, as if the kernel knew no newer one.

    Raises:
        HostSetupError: its helper cannot be compiled.
        SandboxError: this kernel has no Landlock, or forbids its use.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        words = os.strerror(ctypes.get_errno())
        raise SandboxError(f"enter the compile sandbox: Landlock: {words}; {_FORBIDDEN}")
    way = Landlock(min(version, newest))
    way.run(Job("try the compile sandbox", ("true",), {}, limits=Limits(wall=20.0)))
    return way
