# SPDX-License-Identifier: MIT
"""A bare Debian to take a container's steps in, with the rights that Docker gives by default."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from kmodlab.errors import HostSetupError
from tests.containers.dockerfile import TOP, Stage, Step, kept
from tests.parts import needs, program
from tests.refused import CLONE3, REFUSE, compiled

__all__ = ["Room", "bare", "built"]

_SUITES = {"docker.io/library/debian:12-slim": "bookworm"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RIGHTS = (
    *("audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service", "net_raw"),
    *("setfcap", "setgid", "setpcap", "setuid", "sys_chroot"),
)
"""Those of root in a container."""
_HOSTS = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy")
"""What a host behind a proxy or a mirror would give to a build."""
_SETTINGS = ("/etc/pip.conf", "/etc/xdg/pip", "/usr/local/share/ca-certificates")

# System calls by their numbers on x86-64, as none of them has another way to be named here.
_REFUSED = (
    *(155, 165, 166, 272, 308),  # pivot_root mount umount2 unshare setns
    *(428, 429, 430, 431, 432, 433, 442),  # open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    *(248, 249, 250, 298, 321, 323),  # add_key request_key keyctl perf_event_open bpf userfaultfd
    *(237, 238, 239, 312, 303, 438, 440),  # those of NUMA, kcmp name_to_handle_at pidfd_getfd process_madvise
    *(425, 426, 427, 103, 179, 172, 173),  # io_uring_setup _enter _register syslog quotactl iopl ioperm
)


def _filter() -> bytes:
    """A program for seccomp that refuses what Docker's own profile does to a process without CAP_SYS_ADMIN.

    It names what is refused, where Docker's names what is allowed; the difference are calls that nothing here makes.
    clone3 is unknown there, so that the C library takes clone, whose flags can be seen.
    """
    refused = dict.fromkeys(_REFUSED, errno.EPERM) | {CLONE3: errno.ENOSYS}
    return compiled(refused, foreign=REFUSE | errno.EPERM)


@dataclass(frozen=True, slots=True)
class Room:
    """A root and what is set for those who enter.

    Attributes:
        root: its folder.
        user, folder: who enters, and where.
        env: the environment.
        start: what a container runs: its entry point and command.
    """

    root: Path
    user: str = "root"
    folder: str = "/"
    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": _PATH, "HOME": "/root"})
    start: tuple[str, ...] = ()

    @contextmanager
    def entered(self, argv: Sequence[str], *, network: bool) -> Iterator[subprocess.Popen[str]]:
        """Run a command as a container would; it has ended when this ends."""
        descriptor = os.memfd_create("kmodlab-seccomp")
        try:
            os.write(descriptor, _filter())
            os.lseek(descriptor, 0, os.SEEK_SET)
            child = subprocess.Popen(
                [*self._enter(descriptor, network), *argv], pass_fds=(descriptor,), text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            os.close(descriptor)
        with child:
            try:
                yield child
            finally:
                child.kill()

    def run(self, *argv: str, network: bool = False) -> str:
        """Run a command to its end; return what it printed."""
        with self.entered(argv, network=network) as child:
            said = child.communicate(timeout=1500)[0]
        assert child.returncode == 0, f"{argv}: {child.returncode}\n{said[-4000:]}"
        return said

    def _enter(self, descriptor: int, network: bool) -> Iterator[str]:
        yield from (program("build", "bwrap"), "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc")
        yield from () if network else ("--unshare-net",)
        yield from ("--bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys")
        yield from ("--perms", "1777", "--size", str(64 << 20), "--tmpfs", "/dev/shm")
        if network:
            yield from ("--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf", "--ro-bind", "/etc/hosts", "/etc/hosts")
        yield from ("--cap-drop", "ALL")
        for right in _RIGHTS:
            yield from ("--cap-add", f"cap_{right}")
        yield from ("--seccomp", str(descriptor), "--chdir", self.folder, "--clearenv")
        given = {name: os.environ[name] for name in _HOSTS if name in os.environ} if network else {}
        for name, value in {**given, **self.env}.items():
            yield from ("--setenv", name, value)
        yield from ("--", "setpriv", "--reuid", self.user, "--regid", self.user, "--init-groups", "--")

    def after(self, step: Step, stages: Mapping[str, Room]) -> Room:
        """Take one step; return the room after it."""
        match step.name:
            case "RUN":
                self.run(*step.words, network=True)
            case "COPY":
                self._copy(step, stages)
            case "USER":
                return replace(self, user=step.words[0])
            case "WORKDIR":
                return replace(self, folder=step.words[0])
            case "ENV":
                return replace(self, env={**self.env, **dict(word.split("=", 1) for word in step.words)})
            case "ENTRYPOINT" | "CMD":
                return replace(self, start=(*self.start, *step.words))
        return self

    def _copy(self, step: Step, stages: Mapping[str, Room]) -> None:
        source, target = step.words
        inside = self.root / target.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if "from" in step.options:
            taken = [f"{stages[step.options['from']].root}{source}/."]
        elif source == ".":
            taken = [str(TOP / name) for name in kept((TOP / ".dockerignore").read_text())]
        else:
            taken = [str(TOP / source)]
        subprocess.run(["cp", "-a", *taken, inside], check=True)
        for cache in inside.rglob("__pycache__") if source == "." else ():
            shutil.rmtree(cache)
        owner = step.options.get("chown", "root:root")
        subprocess.run(["chroot", self.root, "chown", "-R", "-h", owner, target], check=True)


def bare(image: str, root: Path) -> Room:
    """Make what stands for a base image: the same packages, from this host's own mirror, with its settings."""
    offered = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    mirror = min((site.rstrip("/") for site in offered if site.rstrip("/").endswith("/debian")), default="")
    with needs("tools"):
        if not mirror:
            raise HostSetupError("make a bare Debian: apt's sources name no mirror of Debian; add one")
    suite = _SUITES[image]
    argv = [program("tools", "debootstrap"), "--variant=minbase", "--include=ca-certificates", suite, str(root), mirror]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    sources = [(mirror, suite), (mirror, f"{suite}-updates"), (f"{mirror}-security", f"{suite}-security")]
    (root / "etc/apt/sources.list").write_text("".join(f"deb {site} {name} main\n" for site, name in sources))
    for place in (*map(Path, _SETTINGS), *Path("/etc/apt/apt.conf.d").glob("99*")):
        if place.exists():
            target = root / place.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-rL", place, target.parent], check=True)
    room = Room(root)
    room.run("update-ca-certificates", network=True)
    return room


def built(stages: Sequence[Stage], place: Path) -> Room:
    """Take all steps of a Dockerfile; return the room of its last stage."""
    rooms: dict[str, Room] = {}
    for number, stage in enumerate(stages):
        root = place / str(number)
        if stage.base in rooms:
            subprocess.run(["cp", "-a", rooms[stage.base].root, root], check=True)
            room = replace(rooms[stage.base], root=root)
        else:
            room = bare(stage.base, root)
        for step in stage.steps:
            room = room.after(step, rooms)
        rooms[stage.name] = room
    return rooms[stages[-1].name]
