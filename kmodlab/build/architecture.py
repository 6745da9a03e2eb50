# SPDX-License-Identifier: MIT
"""What differs between the architectures that modules are built for: names, and the compiler where it is not ours."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kmodlab.errors import HostSetupError, UsageError

__all__ = ["ARCHITECTURES", "Architecture", "architecture", "of_debian"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One architecture.

    Attributes:
        name: the kernel's word in ``uname -m``: ``x86_64``.
        debian: Debian's: ``amd64``. The releases of its kernels end with it.
        folder: that of ``arch/`` in the kernel's source, which is kbuild's ``ARCH``: ``x86``.
        triplet: the compilers' word: ``x86_64-linux-gnu``.
    """

    name: str
    debian: str
    folder: str
    triplet: str

    @property
    def prefix(self) -> str:
        """What the names of its compiler and linker begin with here: nothing where it is this computer's own."""
        return "" if self.name == os.uname().machine else f"{self.triplet}-"

    @property
    def variables(self) -> tuple[str, ...]:
        """What kbuild must be told to build for it here: nothing where it is this computer's own."""
        return (f"ARCH={self.folder}", f"CROSS_COMPILE={self.prefix}") if self.prefix else ()

    @property
    def guest_compiler(self) -> str:
        """The program that compiles static programs for its guests: musl's wrapper, which there is for our own only."""
        return f"{self.prefix}gcc" if self.prefix else "musl-gcc"

    def require_compiler(self) -> None:
        """Raise if the compiler of an architecture that is not our own is missing.

        Raises:
            HostSetupError: it is; says what to install.
        """
        if self.prefix and not Path("/usr/bin", f"{self.prefix}gcc").exists():
            package = f"gcc-{self.triplet.replace('_', '-')}"
            raise HostSetupError(
                f"build for {self.name}: no compiler for it here; "
                f"apt-get install --no-install-recommends {package} libc6-dev-{self.debian}-cross"
            )


ARCHITECTURES = (
    Architecture("x86_64", "amd64", "x86", "x86_64-linux-gnu"),
    Architecture("aarch64", "arm64", "arm64", "aarch64-linux-gnu"),
)
"""All that kmodlab builds for and boots."""


def architecture(name: str) -> Architecture:
    """Return an architecture by the kernel's word for it.

    Raises:
        UsageError: there is none of that name.
    """
    for one in ARCHITECTURES:
        if one.name == name:
            return one
    raise UsageError(f"use {name}: no such architecture; there is {', '.join(one.name for one in ARCHITECTURES)}")


def of_debian(release: str) -> Architecture | None:
    """Return an architecture by Debian's word for it, or by a kernel's release that ends with it; None if none fits."""
    return next((one for one in ARCHITECTURES if release.rpartition("-")[2] == one.debian), None)
