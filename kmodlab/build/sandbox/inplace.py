# SPDX-License-Identifier: MIT
"""Jobs that work with files where they lie, since nothing can be mounted, run by the program ``confine``.

That is a small program of ours, compiled at first use: it shuts itself in as far as it is told, runs the job, and ends
all that the job leaves behind. There is no root of the job's own: its working folder lies in the cache, a kernel's
headers where they were unpacked. `Names` makes that invisible.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import select
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache as once
from pathlib import Path

from kmodlab import process
from kmodlab.build.cache import Store
from kmodlab.build.sandbox import WORK, Job, Limits, Outcome
from kmodlab.build.sandbox.common import ForbiddenError, judge, late, over
from kmodlab.build.sandbox.folder import fill, gather, new_folder
from kmodlab.build.sandbox.names import Names
from kmodlab.config import settings
from kmodlab.errors import HostSetupError, SandboxError

__all__ = ["NEEDS", "run_in_place"]

NEEDS = "it needs Linux 5.13 with Landlock (lsm=landlock,… on the kernel's command line) and seccomp"
_FORMAT = 1
_FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-s")
_END = 30.0  # seconds for the last processes of a job to go
_LIMITS = {signal.SIGXCPU: "cpu", signal.SIGXFSZ: "file_size"}


def run_in_place(
    job: Job,
    shut: Callable[[list[Path]], Iterable[str]],
    watch: Callable[[bytes], object] | None,
    *,
    own_user: bool,
) -> Outcome:
    """Run a job in a new folder of the host's.

    Args:
        job: what to run.
        shut: the helper's words that shut it in, given the folders that the job asked for.
        watch: called with each piece of output as it comes.
        own_user: to give it a user id that nobody else has, where root runs this.

    Raises:
        SandboxError: the sandbox could not be entered, or the job went over a limit.
        HostSetupError: the helper cannot be compiled.
    """
    try:
        with new_folder(_place()) as folder:
            return _run(job, folder, shut, watch, own_user)
    except OSError as error:
        raise SandboxError(
            f"{job.title}: write {_place()}: {error.strerror}; "
            "make room there, or set KMODLAB_CACHE to a folder elsewhere"
        ) from error


def _run(
    job: Job,
    folder: Path,
    shut: Callable[[list[Path]], Iterable[str]],
    watch: Callable[[bytes], object] | None,
    own_user: bool,
) -> Outcome:
    binds = tuple((outside.resolve(), inside) for outside, inside in job.binds)
    names = Names(((folder, WORK), *((outside, str(inside)) for outside, inside in binds)))
    _usable(folder, *(outside for outside, _ in binds))
    translated = {name: names.inward(_text(job.files[name])).encode() for name in job.files if job.speaks(name)}
    fill(folder, {**job.files, **translated})
    (folder / ".tmp").mkdir(exist_ok=True)
    user = (1 << 30) + secrets.randbelow(1 << 29) if own_user and os.geteuid() == 0 else None
    if user is not None:  # access(2), which the compiler asks, knows no right but that of the user
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
    argv = [*_helped(job.limits, user), *shut([outside for outside, _ in binds]), "--", *map(names.inward, job.argv)]
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


def _helped(limits: Limits, user: int | None) -> Iterator[str]:
    """The helper, and its words for what any job gets."""
    yield from (str(_helper()), f"owner={os.getpid()}")
    yield from (f"memory={limits.memory}", f"processes={limits.processes}", f"file={limits.file_size}")
    yield from (f"cpu={limits.cpu}", f"space={limits.space}")
    if user is not None:
        yield f"user={user}"


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
        raise ForbiddenError(f"enter the compile sandbox: {rest}; {NEEDS}", output=word)
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
