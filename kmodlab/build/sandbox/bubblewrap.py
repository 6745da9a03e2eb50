# SPDX-License-Identifier: MIT
"""The compile sandbox by bubblewrap: new namespaces, no capabilities, a read-only /usr and nothing else of the host.

Run by root, no user namespace is made: the job gets a user id that nobody else has, so that the limit on processes
(which the kernel does not apply to root) holds. Run by anyone else, or where root is itself confined, a user namespace
takes its place, and making further ones inside it is forbidden.
"""

from __future__ import annotations

import io
import os
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import ClassVar

from kmodlab import process
from kmodlab.build.sandbox import WORK, Job, Limits, Outcome
from kmodlab.build.sandbox.common import ForbiddenError, host_folders, judge, late, named_in_full, over
from kmodlab.errors import HostSetupError, SandboxError

__all__ = ["Bubblewrap", "probe"]

_INPUT = "/input.tar"
_TMP = f"{WORK}/.tmp"

# Arguments: how many patterns, the patterns, the command. All text goes to standard output; standard error is kept for
# the archive of results. bash, because a POSIX shell has room for one list only.
_INNER = f"""
exec 3>&2 2>&1
patterns=("${{@:2:$1}}"); shift $(($1 + 1))
tar --extract --file={_INPUT} --no-same-owner || exit 125
"$@" 3>&-; status=$?
where=(-false); for pattern in "${{patterns[@]}}"; do where+=(-o -name "$pattern"); done
find . -type f '(' "${{where[@]}}" ')' -print0 | sort -z |
    tar --create --no-recursion --hard-dereference --null --files-from=- >&3 || exit 125
exit $status
"""
# The same for files in the working folder itself that are named in full: three programs less.
_INNER_NAMED = f"""
exec 3>&2 2>&1
names=("${{@:2:$1}}"); shift $(($1 + 1))
tar --extract --file={_INPUT} --no-same-owner || exit 125
"$@" 3>&-; status=$?
found=(); for name in "${{names[@]}}"; do [[ -f $name && ! -L $name ]] && found+=("./$name"); done
tar --create --no-recursion --hard-dereference --files-from=/dev/null "${{found[@]}}" >&3 || exit 125
exit $status
"""
_COMPILER = ("bin", "libexec", "lib64", "gcc", "gcc-cross", "*-linux-gnu")
"""Where below /usr and /usr/lib the compiler, the linker, the shell and their libraries lie."""

_FORBIDDEN = (
    "run as root, or ask the administrator to permit user namespaces "
    "(sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0; "
    "in a container: --privileged)"
)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A `Sandbox` by the program ``bwrap``.

    Attributes:
        namespace: true to shut the job in by a user namespace, false by a user id of its own (root can do that).
    """

    namespace: bool

    # What `Sandbox` asks of each.
    lacks: ClassVar[str] = ""
    shut: ClassVar[bool] = True
    in_place: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """``bubblewrap``, and how it is used here."""
        return f"bubblewrap ({'user namespace' if self.namespace else 'user id of its own'})"

    def run(self, job: Job, watch: Callable[[bytes], object] | None = None) -> Outcome:
        """See `Sandbox.run`."""
        with _archive(job.files) as source:
            argv = [*self._enter(job, source), *_inside(job)]
            try:
                done = process.run(
                    argv, timeout=job.limits.wall, pass_fds=(source,), limit=job.limits.output, watch=watch
                )
            except process.ProcessTimeout as stopped:
                raise late(job, stopped.finished) from None
        output = done.stdout.decode(errors="replace")
        if done.cut:
            raise over("output", job, output)
        try:
            files = dict(_unpack(done.stderr))
        except tarfile.TarError:
            raise _broken(job, done, output) from None
        if done.exit_status:
            judge(job, output)
        return Outcome(done.exit_status, output, files, done.seconds)

    def _enter(self, job: Job, source: int) -> Iterator[str]:
        """The arguments of bwrap, up to the program that runs inside, in the order in which it builds the root."""
        yield from (_program("bwrap"), "--die-with-parent", "--new-session", "--clearenv", "--hostname", "kmodlab")
        if self.namespace:
            yield from ("--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000")
            yield from ("--cap-drop", "ALL")
        else:
            yield from ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
            yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        yield from _root(job.binds, _COMPILER if job.narrow else ("*",))
        yield from ("--proc", "/proc", "--dev", "/dev", "--perms", "0644", "--file", str(source), _INPUT)
        yield from ("--perms", "0777", "--size", str(job.limits.space), "--tmpfs", WORK)
        yield from ("--perms", "0777", "--dir", _TMP, "--symlink", _TMP[1:], "/tmp")
        yield from ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK)
        for name, value in {"PATH": "/usr/bin:/bin", "HOME": WORK, "TMPDIR": _TMP, **job.env}.items():
            yield from ("--setenv", name, value)
        yield "--"
        if not self.namespace:
            user = str((1 << 30) + secrets.randbelow(1 << 29))
            yield from ("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all")
            yield from ("--no-new-privs", "--")


def _root(binds: tuple[tuple[Path, Path], ...], wanted: tuple[str, ...]) -> Iterator[str]:
    """Arguments that show the host's programs, libraries and headers, and what the job asked for on top.

    Args:
        binds: what it asked for.
        wanted: patterns of the folders of /usr and /usr/lib that are shown.

    /usr is put together from its folders, because a mount point cannot be made in a read-only one: the kernel's own
    tools belong into /usr/lib.
    """
    shadowed = {inside for _, inside in binds}
    for folder in ("/usr", "/usr/lib", "/etc"):
        yield from ("--perms", "0755", "--dir", folder)
    for path in host_folders("/usr", "/usr/lib"):
        asked = path not in shadowed and any(path.match(one) for one in wanted)
        if asked or not path.is_relative_to("/usr"):
            yield from _show(path)
    for outside, inside in binds:
        yield from ("--ro-bind", str(outside), str(inside))


def _show(path: Path) -> tuple[str, ...]:
    """Arguments that make a path of the host the same inside."""
    if path.is_symlink():
        return ("--symlink", str(path.readlink()), str(path))
    return ("--ro-bind-try", str(path), str(path))


def _inside(job: Job) -> Iterator[str]:
    """The program that sets the limits and runs the job, once inside."""
    limits = job.limits
    yield from ("prlimit", f"--as={limits.memory}", f"--nproc={limits.processes}", f"--fsize={limits.file_size}")
    yield from (f"--cpu={limits.cpu}:{limits.cpu + 5}", "--core=0", "--nofile=1024", "--")
    script = _INNER_NAMED if named_in_full(job.results) else _INNER
    yield from ("bash", "-c", script, "bash", str(len(job.results)), *job.results, *job.argv)


@contextmanager
def _archive(files: Mapping[str, bytes]) -> Iterator[int]:
    """A tar archive of a job's files, in memory: the descriptor, at its beginning."""
    descriptor = os.memfd_create("kmodlab-source")
    try:
        with (
            os.fdopen(descriptor, "wb", closefd=False) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            for name, content in sorted(files.items()):
                member = tarfile.TarInfo(f"./{name}")
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _unpack(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Read the results; whoever wrote them is not trusted, so names are data and nothing is written anywhere."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name.removeprefix("./"), stream.read()


def _broken(job: Job, done: process.Finished, output: str) -> SandboxError:
    """The error for a job that never started, or did not live to hand back its results."""
    said = done.stderr[:2000].decode(errors="replace").strip().partition("\n")[0] or output.strip().rpartition("\n")[2]
    if said.startswith(("bwrap:", "setpriv:")):
        words = said.partition(". See ")[0]
        return ForbiddenError(f"enter the compile sandbox: {words}; {_FORBIDDEN}", output=said)
    judge(job, output)
    return SandboxError(
        f"{job.title}: ended with status {done.exit_status} before its results could be read ({said or 'no word'}); "
        "try again, and look whether the host is short of memory",
        output=output,
    )


def _program(name: str) -> str:
    path = process.which(name)
    if path is None:
        raise HostSetupError("enter the compile sandbox: bwrap is not installed; apt-get install bubblewrap")
    return str(path)


@once
def probe() -> Bubblewrap:
    """Return the way to use bubblewrap that works here, having tried it with the very arguments of a build.

    Raises:
        HostSetupError: it is not installed.
        SandboxError: the host forbids namespaces.
    """
    job = Job("try the compile sandbox", ("true",), {}, limits=Limits(wall=20.0))
    ways = [Bubblewrap(namespace=False)] if os.geteuid() == 0 else []
    for way in (*ways, last := Bubblewrap(namespace=True)):
        try:
            way.run(job)
        except SandboxError:
            if way is last:
                raise
            continue
        return way
    raise AssertionError("the last way returns or raises")
