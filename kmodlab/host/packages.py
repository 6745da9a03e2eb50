# SPDX-License-Identifier: MIT
"""The Debian packages that the host itself needs, which of them are missing, and how they come.

They are the only part that needs an administrator: root or sudo installs them, anybody else is told the one line.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kmodlab import process
from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.host.bundle import find_bundle
from kmodlab.host.deb import parse_uris
from kmodlab.host.ledger import count_fetched, fetched_line
from kmodlab.host.state import locked, need_room
from kmodlab.progress import Step, step

__all__ = [
    "HOST_PACKAGES",
    "TEST_PACKAGES",
    "HostPackage",
    "download_size",
    "install",
    "install_line",
    "missing_packages",
    "privilege",
]


@dataclass(frozen=True, slots=True)
class HostPackage:
    """One package that the host needs.

    Attributes:
        name: Debian's name of it, on every release that is supported.
        part: what works only with it: ``machine``, ``build``, ``browser`` or ``tools``.
        purpose: what it is for, in words.
        program: the program by which it is known to be there, or an empty text.
        library: the same for a shared library.
        file: the same for any other file, as a pattern of `pathlib.Path.glob`.
    """

    name: str
    part: str
    purpose: str
    program: str = ""
    library: str = ""
    file: str = ""

    def found(self) -> str:
        """Return the path of its program, library or file, or an empty text if it is not there."""
        if self.file:
            return str(next(iter(sorted(Path("/").glob(self.file.lstrip("/")))), ""))
        if self.program:
            return str(process.which(self.program) or "")
        places = (path for base in ("/usr/lib", "/lib") for path in sorted(Path(base).glob(f"*/{self.library}")))
        return str(next(places, ""))


# By the architecture of this computer: Debian's package, and the program in it that runs machines of the same kind.
_QEMU = {
    "aarch64": ("qemu-system-arm", "qemu-system-aarch64"),
}.get(os.uname().machine, ("qemu-system-x86", "qemu-system-x86_64"))

HOST_PACKAGES = (
    HostPackage(_QEMU[0], "machine", "runs the virtual machines", program=_QEMU[1]),
    HostPackage("squashfs-tools", "machine", "packs the guest's file system", program="mksquashfs"),
    HostPackage("musl-tools", "machine", "compiles the guest's own programs", program="musl-gcc"),
    HostPackage("kmod", "machine", "indexes the kernel's modules", program="depmod"),
    HostPackage("zstd", "machine", "unpacks kernels", program="zstd"),
    HostPackage("xz-utils", "machine", "unpacks kernel modules", program="xz"),
    HostPackage("gcc", "build", "compiles kernel modules", program="gcc"),
    HostPackage("linux-libc-dev", "build", "headers for programs of the guest", file="/usr/include/linux/ioctl.h"),
    HostPackage("make", "build", "runs the kernel's build system", program="make"),
    HostPackage("bubblewrap", "build", "shuts the compiler in", program="bwrap"),
    HostPackage("libelf1", "build", "used by the kernel's objtool", library="libelf.so.1"),
)
"""All of them. Their recommendations are not needed: without, they are about 75 MB with what they depend on."""

TEST_PACKAGES = (
    HostPackage("chromium", "browser", "shows JupyterLab to the tests that use a browser", "chromium"),
    HostPackage("shellcheck", "tools", "reads the shell scripts", "shellcheck"),
    HostPackage("lz4", "tools", "packs a kernel as some distributions do", "lz4"),
    HostPackage("debootstrap", "tools", "makes the bare Debian of the containers' test", "debootstrap"),
    HostPackage("npm", "hub", "installs JupyterHub's proxy", "npm"),
    HostPackage("python3-venv", "hub", "makes JupyterHub's environment", file="/usr/share/python-wheels/pip-*.whl"),
    HostPackage("linux-source", "tools", "holds the kernel's style checker", file="/usr/src/linux-source-*.tar.xz"),
)
"""What only tests need. With what it depends on it is large, so it comes only where KMODLAB_REQUIRE names its part."""

_INSTALL = ("apt-get", "install", "--no-install-recommends")
_UNATTENDED = ("-y", "-q", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
_LISTS = Path("/var/lib/apt/lists")
_PHASES = re.compile(rb"^(?P<phase>dl|pm)status:[^:]*:(?P<percent>[\d.]+):")


def missing_packages() -> tuple[HostPackage, ...]:
    """Return the packages that are not there."""
    return tuple(package for package in HOST_PACKAGES if not package.found())


def install_line(packages: Sequence[HostPackage]) -> str:
    """Return the one line for an administrator."""
    return " ".join([*_INSTALL, *(package.name for package in packages)])


def privilege() -> tuple[str, ...] | None:
    """Return what to put before a command that needs root: nothing as root, sudo, or None where neither is possible.

    Without a terminal sudo is used only if it asks for no password.
    """
    if os.geteuid() == 0:
        return ()
    if process.which("sudo") is None:
        return None
    if process.run(["sudo", "-n", "true"], timeout=30).exit_status == 0:
        return ("sudo", "-n")
    return ("sudo",) if sys.stdin.isatty() and sys.stderr.isatty() else None


def download_size(packages: Sequence[HostPackage]) -> int | None:
    """Return the bytes to fetch for packages and all that they need on this machine, or None if apt does not know."""
    argv = [*_INSTALL, "-y", "-qq", "--print-uris", *_sources(), *(package.name for package in packages)]
    finished = process.run(argv, timeout=60, env=_environment())
    if finished.exit_status != 0:
        return None
    return sum(deb.size for deb in parse_uris(finished.stdout.decode(errors="replace")))


def install(packages: Sequence[HostPackage], rights: Sequence[str]) -> None:
    """Install packages with the machine's own apt, as an administrator would.

    Args:
        packages: what to install.
        rights: what `privilege` returned.

    Raises:
        HostSetupError: apt failed; says its words.
    """
    need_room(Path("/usr"), 400_000_000, "Debian packages")
    with locked(settings().cache / "packages.lock", "installing Debian packages"):
        packages = [package for package in packages if not package.found()]
        if packages and not (_lists_are_fresh() and _try_install(packages, rights) == ""):
            _apt(["apt-get", "update", "-q"], rights, "Fetching the machine's package lists")
            words = _try_install(packages, rights)
            if words:
                raise HostSetupError(f"install Debian packages: {words}; try it by hand: {install_line(packages)}")


def _lists_are_fresh() -> bool:
    if find_bundle(settings().cache):
        return False
    ages = [time.time() - path.stat().st_mtime for path in _LISTS.glob("*_Packages*")]
    return bool(ages) and min(ages) < 24 * 3600


def _try_install(packages: Sequence[HostPackage], rights: Sequence[str]) -> str:
    """Install packages; return apt's words if it failed, and nothing if it did not."""
    argv = [*_INSTALL, *_UNATTENDED, "-o", "DPkg::Lock::Timeout=600", *(package.name for package in packages)]
    words = _apt(argv, rights, f"Installing {', '.join(package.name for package in packages)}")
    absent = [package.name for package in packages if not package.found()]
    return words or (f"{absent[0]} is still not there" if absent else "")


def _apt(argv: Sequence[str], rights: Sequence[str], text: str) -> str:
    """Run apt-get with rights; return its words if it failed, and nothing if it did not."""
    prefix = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"] if rights else []
    with step(text, total=100, unit="%") as now:
        watch = _Watcher(now)
        options = [*_sources(), "-o", "APT::Status-Fd=1"]
        status = process.attached([*prefix, *argv, *options], env=_environment(), watch=watch)
    if status == 0:
        return ""
    complaints = [line[3:] for line in watch.tail if line.startswith("E: ")] or watch.tail[-1:]
    return re.sub(r"\b\w+://\S+", "the archive", complaints[0]) if complaints else f"apt-get ended with status {status}"


def _sources() -> list[str]:
    """Options of apt that make it use an unpacked bundle instead of the machine's sources."""
    bundle = find_bundle(settings().cache)
    given = bundle.apt_settings() if bundle else {}
    return [word for name, value in given.items() for word in ("-o", f"{name}={value}")]


class _Watcher:
    """Reads what apt-get prints: how far it is, what it has fetched, what it complains of."""

    def __init__(self, now: Step) -> None:
        self.tail: list[str] = []
        self._now = now

    def __call__(self, piece: bytes) -> None:
        found = _PHASES.match(piece)
        if found:  # the download is about half of the time
            self._now.reach(float(found["percent"]) / 2 + (50 if found["phase"] == b"pm" else 0))
            return
        line = piece.decode(errors="replace").strip()
        self.tail = [*self.tail[-200:], line]
        if line.startswith("Fetched "):
            count_fetched(fetched_line(line), time.monotonic() - self._now.start)


def _environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
