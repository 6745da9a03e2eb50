# SPDX-License-Identifier: MIT
"""A kernel to build modules against and to boot: what lies unpacked in the cache, as a frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["KernelBuild"]


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """One kernel: its image, its modules and the headers that its modules are built with.

    Attributes:
        release: what ``uname -r`` prints in the guest, e.g. ``6.1.0-56-amd64``.
        arch: the kernel's word for the architecture in ``uname -m``: ``x86_64``, ``aarch64``.
        version: the version of the Debian package, or of the folder it came from.
        root: the folder in which its packages lie unpacked, laid out as in ``/``.
        source: where it comes from, in words: ``Debian bookworm``.
        tree: the folder in which its user has built it, which holds the headers then.
    """

    release: str
    arch: str
    version: str
    root: Path
    source: str
    tree: Path | None = None

    @property
    def key(self) -> str:
        """What tells this kernel from any other, usable as a file name."""
        return f"{self.release}_{self.version}"

    @property
    def series(self) -> str:
        """The two numbers by which its source's package goes: ``6.12``."""
        return ".".join(self.release.split(".")[:2]).partition("-")[0]

    @property
    def image(self) -> Path:
        """The uncompressed kernel, which QEMU boots without a boot loader: an ELF file, of arm64 a plain image."""
        return self.root / "boot" / f"vmlinux-{self.release}"

    @property
    def config(self) -> Path:
        """The configuration it was built with."""
        return self.root / "boot" / f"config-{self.release}"

    @property
    def modules(self) -> Path:
        """The tree of its modules, with ``modules.dep`` and the other indexes of depmod."""
        return self.root / "lib" / "modules" / self.release

    @property
    def headers(self) -> Path:
        """The build folder that kbuild's ``make -C`` wants, as an absolute path *inside the compile sandbox*."""
        return Path("/linux") if self.tree else Path("/usr/src") / f"linux-headers-{self.release}"

    @property
    def headers_here(self) -> Path:
        """The same folder on the host."""
        return self.tree or self.root / self.headers.relative_to("/")

    @property
    def header_binds(self) -> tuple[tuple[Path, Path], ...]:
        """Pairs (on the host, in the sandbox) that make the headers' absolute paths true there."""
        if self.tree:
            # Of a build with O= the Makefile names the sources by their own path, and so do links in the folder.
            sources = (self.tree / "source").resolve()
            beside = ((sources, sources),) if (self.tree / "source").is_symlink() and sources.is_dir() else ()
            return ((self.tree, self.headers), *beside)
        return (
            (self.root / "usr" / "src", Path("/usr/src")),
            *(
                (path, Path("/usr/lib") / path.name)
                for path in sorted((self.root / "usr" / "lib").glob("linux-kbuild-*"))
            ),
        )
