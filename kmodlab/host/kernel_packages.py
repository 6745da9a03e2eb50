# SPDX-License-Identifier: MIT
"""Which Debian packages a kernel consists of, as an archive lists them: itself, its modules, what builds against it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kmodlab.build import architecture
from kmodlab.errors import HostSetupError
from kmodlab.host import apt
from kmodlab.host.deb import Deb

__all__ = [
    "ARCHITECTURES",
    "KernelPackages",
    "archive_for",
    "default_packages",
    "default_release",
    "resolve_kernel",
]

ARCHITECTURES = {one.debian: one.name for one in architecture.ARCHITECTURES}
"""Debian's word for an architecture to the kernel's; what stands here is what kmodlab can boot."""

_PARTS = "base", "binary", "modules"  # packages of their own since Linux 7; before, the image was all


@dataclass(frozen=True, slots=True)
class KernelPackages:
    """What to fetch for one kernel.

    Attributes:
        release: what ``uname -r`` will print.
        version: the version of its packages.
        debs: image and its parts, headers for its flavour, headers for all flavours, kbuild's tools.
    """

    release: str
    version: str
    debs: tuple[Deb, ...]

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(deb.size for deb in self.debs)


def default_release(archive: apt.PrivateApt) -> str:
    """Return the release of an archive's stock kernel, for its architecture or, if it has none, for this machine's.

    Raises:
        HostSetupError: it has none, or this machine's architecture is not supported.
    """
    image = f"linux-image-{archive.architecture or _machine_architecture()}"
    return _one(_needs(archive, image), r"linux-image-(\d.*)", image)


def resolve_kernel(
    release: str | None = None, archive: apt.PrivateApt | None = None, version: str = ""
) -> KernelPackages:
    """Return what to fetch for a kernel, from the package lists (of the machine's own sources if none are named).

    Args:
        release: as ``uname -r`` prints it; the stock kernel's if None.
        archive: whose lists; the machine's own if None.
        version: of its packages, if not just the newest will do.

    Raises:
        HostSetupError: the archive has no such kernel, or its architecture is not supported.
    """
    archive = archive or archive_for(release)
    if release is None:
        release = default_release(archive)
    image, headers = f"linux-image-{release}", f"linux-headers-{release}"
    try:
        needs = _needs(archive, headers)
        parts = [name for name in _needs(archive, image) if name in {f"linux-{part}-{release}" for part in _PARTS}]
    except apt.NoSuchPackage:
        raise HostSetupError(
            f"fetch kernel {release}: apt offers none of that name; ./lab kernels lists those it does "
            "(with --backports and --next more, and --add fetches one of these)"
        ) from None
    common = _one(needs, r"(linux-headers-\S+-common)", headers)
    kbuild = _one(needs, r"(linux-kbuild-[^\s:]+)\S*", headers)
    if archive.architecture:
        kbuild += f":{apt.own_architecture()}"  # programs that run here, whatever they build for
    exactly = f"={version}" if version else ""
    names = (image, *parts, headers, common, kbuild)
    debs = {deb.name: deb for deb in archive.resolve([f"{name}{exactly}" for name in names])}
    ordered = tuple(debs[name.partition(":")[0]] for name in names)  # apt has an order of its own
    return KernelPackages(release, ordered[0].version, ordered)


def default_packages() -> tuple[Deb, ...]:
    """Return what to fetch for the default kernel, with the empty package by whose name it is found.

    Raises:
        HostSetupError: as for `resolve_kernel`.
    """
    return (*resolve_kernel().debs, *apt.resolve([f"linux-image-{_machine_architecture()}"]))


def _machine_architecture() -> str:
    """Debian's word for this machine's architecture (``dpkg --print-architecture``)."""
    name = apt.own_architecture()
    if name not in ARCHITECTURES:
        raise HostSetupError(f"choose a kernel: none for {name} yet; use a machine with {', '.join(ARCHITECTURES)}")
    return name


def archive_for(release: str | None) -> apt.PrivateApt:
    """Return the machine's own sources, for the architecture that a release names."""
    named = architecture.of_debian(release or "")
    return apt.private_apt(named.debian if named else "")


def _needs(archive: apt.PrivateApt, package: str) -> list[str]:
    """The names of the packages that one depends on, alternatives left out."""
    stanzas = [stanza for stanza in archive.show([package]) if stanza.get("Package") == package]
    depends = stanzas[0].get("Depends", "") if stanzas else ""
    return [word.split()[0] for word in depends.split(",") if word.strip()]


def _one(needs: list[str], pattern: str, package: str) -> str:
    found = [match[1] for match in (re.fullmatch(pattern, name) for name in needs) if match]
    if not found:
        raise HostSetupError(f"find a kernel: {package} leads to none; is this machine's apt that of a Debian release?")
    return found[0]
