# SPDX-License-Identifier: MIT
"""What system this computer runs, and what to do where it is none that kmodlab can take its kernels from."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from functools import cache as once
from pathlib import Path

from kmodlab.errors import HostSetupError

__all__ = ["Advice", "System", "advice", "parse_release", "require_debian", "this_system"]

_PLACES = ("/etc/os-release", "/usr/lib/os-release")
_MACHINES = ("x86_64", "aarch64")
_PODMAN = {
    "ubuntu": "sudo apt-get install podman",
    "fedora": "sudo dnf install podman",
    "rhel": "sudo dnf install podman",
    "arch": "sudo pacman -S podman",
    "suse": "sudo zypper install podman",
    "opensuse": "sudo zypper install podman",
    "alpine": "apk add podman, as root",
}
"""How systems, and those that are like them, come by a program that runs containers."""


_NAMES = {"Darwin": "macOS"}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do on a system on which kmodlab cannot be set up.

    Attributes:
        why: it cannot.
        mend: what to do.
    """

    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class System:
    """A system, by the words of its ``os-release``.

    Attributes:
        id: ``fedora``.
        like: what it says it is like, nearest first: ``("rhel", "fedora")``.
        title: its name for people: ``Fedora Linux 41 (Workstation Edition)``.
        release: its name and release in short: ``Debian bookworm``, ``Fedora 41``.
        machine: as ``uname -m`` prints it.
        kernel: the name of its kernel as ``uname -s`` prints it: ``Linux``, ``Darwin``.
        windows: whether Windows runs it (WSL).
    """

    id: str
    like: tuple[str, ...]
    title: str
    release: str
    machine: str = "x86_64"
    kernel: str = "Linux"
    windows: bool = False

    @property
    def tried(self) -> bool:
        """Whether it is Debian itself."""
        return self.id == "debian"


def parse_release(text: str) -> System:
    """Read an ``os-release``; lines that are none are passed over, and what it does not say is empty."""
    words = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        try:
            words[name.strip()] = " ".join(shlex.split(value))
        except ValueError:  # a quote without its end
            words[name.strip()] = value.strip("\"' ")
    name = words.get("NAME") or "Linux"
    short = f"{name.split()[0]} {words.get('VERSION_CODENAME') or words.get('VERSION_ID', '')}".strip()
    like = tuple(words.get("ID_LIKE", "").split())
    return System(words.get("ID", "linux"), like, words.get("PRETTY_NAME") or name, short)


@once
def this_system() -> System:
    """Return what runs here."""
    here = os.uname()
    found = next((place for place in map(Path, _PLACES) if place.is_file()), None)
    read = parse_release(found.read_text(errors="replace") if found else "")
    return replace(
        read,
        title=read.title if here.sysname == "Linux" else _NAMES.get(here.sysname, here.sysname),
        machine=here.machine,
        kernel=here.sysname,
        windows="microsoft" in here.release.lower(),
    )


def advice(system: System) -> Advice | None:
    """Return what to do where kmodlab cannot be set up on a system; None where it can.

    What is like Debian, but not like Ubuntu, whose kernels come as other packages, may go on.
    """
    if system.kernel != "Linux":
        return Advice("it is not Linux", f"install Docker Desktop, then, in a checkout: {_line('docker')}")
    if system.machine not in _MACHINES:
        return Advice(f"no kernel for {system.machine} is known", "take a computer with a processor of amd64 or arm64")
    kind = {system.id, *system.like}
    if "debian" in kind and "ubuntu" not in kind:
        return None
    why = "kernels and guest come out of Debian's archive"
    if system.windows:
        return Advice(why, "in Windows: wsl --install -d Debian, and then the same in that")
    install = next((line for name, line in _PODMAN.items() if name in kind), "install podman")
    return Advice(why, f"run it in a container: {install}; then, in a checkout: {_line('podman')}")


def _line(program: str) -> str:
    run = f"{program} run --rm -p 127.0.0.1:8888:8888 -v kmodlab:/home/learner/kept kmodlab"
    return f"{program} build -t kmodlab . && {run}"


def require_debian() -> None:
    """Raise where nothing can be set up.

    Raises:
        HostSetupError: this is another system; says what to do.
    """
    here = this_system()
    if found := advice(here):
        raise HostSetupError(f"set up kmodlab on {here.title}: {found.why}; {found.mend}")
