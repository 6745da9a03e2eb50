# SPDX-License-Identifier: MIT
"""Which kernels there are: what apt's sources offer, and what is ready in the cache."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.host import apt, kernel_packages, kernels, local
from kmodlab.host.state import machine_release
from kmodlab.progress import say
from kmodlab.records.table import Rows

__all__ = ["More", "Offer", "archive_of", "newest", "offers"]

More = Literal["backports", "next"]
"""What may be listed beside the machine's own sources: its release's backports, or the release after it."""

_NEXT = {"bookworm": "trixie", "trixie": "testing"}
# Three numbers: a package with two (linux-image-6.12-amd64) only leads to the newest of a series.
_IMAGE = re.compile(r"linux-image-(?P<release>\d+\.\d+\.\d+\S*-(?P<arch>[a-z0-9]+))")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TARGETS = ("indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")


@dataclass(frozen=True, slots=True)
class Offer:
    """One kernel.

    Attributes:
        release: what ``uname -r`` prints in the guest; what ``--kernel`` and ``Machine(kernel=...)`` take.
        arch: ``x86_64``, ``aarch64``.
        source: where it comes from, in words: ``Debian bookworm-security``.
        ready: it lies in the cache, to build against and to boot; else it is fetched when it is first used.
        default: it is used where none is named.
    """

    release: str
    arch: str
    source: str
    ready: bool
    default: bool


def offers(more: Sequence[More] = (), arch: str = "") -> Rows[Offer]:
    """Return the kernels that are ready or can be fetched, the newest first.

    Where package lists cannot be had, those that are ready are listed, and a line on standard error says why.

    Args:
        more: what to list beside the machine's own sources.
        arch: Debian's word for a further architecture whose kernels are to be listed.
    """
    found: dict[str, tuple[str, str]] = {}
    default = ""
    for which, kind in itertools.product((None, *more), ("", arch) if arch else ("",)):
        try:
            archive = archive_of(which, kind)
            found = _offered(archive) | found
            default = default or kernel_packages.default_release(archive)
        except HostSetupError as error:
            say(f"kmodlab: {error}")
    ready = {kernel.release: (kernel.arch, kernel.source) for kernel in kernels.find_kernels()}
    with contextlib.suppress(HostSetupError):
        default = kernels.default_kernel().release
    rows = [Offer(name, *place, name in ready, name == default) for name, place in (ready | found).items()]
    rows += [Offer(kernel.release, kernel.arch, kernel.source, True, False) for kernel in local.adopted()]
    return Rows(sorted(rows, key=lambda one: _order(one.release), reverse=True), caption="Kernels")


def newest(rows: Iterable[Offer]) -> list[Offer]:
    """Return of each series and flavour the first, and what is ready."""
    seen = set()
    kept = []
    for row in rows:
        numbers, _, flavour = row.release.partition("-")
        line = (*numbers.split(".")[:2], flavour.lstrip("0123456789-"))
        if row.ready or line not in seen:
            kept.append(row)
        seen.add(line)
    return kept


def archive_of(which: More | None, arch: str = "") -> apt.PrivateApt:
    """Return the archive of the machine's own sources, or one beside it: the same places, another suite.

    Args:
        which: the suite.
        arch: Debian's word for the architecture; the machine's own if empty.

    Raises:
        HostSetupError: the machine's sources are not those of a Debian release that has such a one.
    """
    own = apt.private_apt()
    foreign = "" if arch == apt.own_architecture() else arch
    if which is None:
        return apt.private_apt(foreign)
    system, _, codename = machine_release().partition(" ")
    suite = f"{codename}-backports" if which == "backports" else _NEXT.get(codename, "")
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    targets = (line.split() for line in own.ask("apt-get", *_TARGETS).splitlines())
    lines = sorted({f"deb {signed}{uri} {suite} {part}\n" for uri, release, part in targets if release == codename})
    if not suite or not lines:
        raise HostSetupError(f"find {which}: not known for the sources of this machine; choose a kernel that they have")
    folder = settings().cache / "apt" / (f"{suite}-{foreign}" if foreign else suite)
    return apt.PrivateApt(folder, sources="".join(lines), title=f"{system} {suite}", architecture=foreign)


def _offered(archive: apt.PrivateApt) -> dict[str, tuple[str, str]]:
    """Release to architecture and source, of those whose headers are there too."""
    headers = set(archive.ask("apt-cache", "pkgnames", "linux-headers-").split())
    names = archive.ask("apt-cache", "pkgnames", "linux-image-").split()
    images = {name: match for name in names if (match := _IMAGE.fullmatch(name))}
    images = {name: match for name, match in images.items() if f"linux-headers-{match['release']}" in headers}
    found: dict[str, tuple[str, str]] = {}
    for line in archive.ask("apt-cache", "madison", *images).splitlines() if images else ():
        # NAME | VERSION | URI SUITE/SECTION ARCHITECTURE Packages
        name, _, place = (part.strip() for part in line.split("|"))
        if name not in images:  # NAME:amd64, which an archive of another architecture has too
            continue
        arch = kernel_packages.ARCHITECTURES.get(images[name]["arch"])
        if arch and place.endswith(" Packages"):
            suite = place.split()[1].partition("/")[0]
            found.setdefault(images[name]["release"], (arch, f"{machine_release().split()[0]} {suite}"))
    return found


def _order(release: str) -> tuple[list[int], int]:
    """A key by which newer ones are larger, and of the same that of the plain flavour."""
    return [int(number) for number in re.findall(r"\d+", release.rpartition("-")[0])], -len(release)
