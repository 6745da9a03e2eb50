# SPDX-License-Identifier: MIT
"""What the kernel's source says of the functions that modules may call: from the package ``linux-source-X.Y``.

Headers only declare most of them, and the comments of kernel-doc stand at the definitions. The archive is read once and
what it says of exported functions is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kmodlab.build.cache import Store
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.reference import ARCHES, Excerpt, configuration
from kmodlab.errors import HostSetupError
from kmodlab.progress import step
from kmodlab.records.declarations import scan

__all__ = ["Definitions", "ensure_definitions", "find_definitions", "source_archives"]

_FORM = 2  # raise it when the index or the way it is made changes
_INDEX = "definitions.sqlite"
_LARGEST = 4 << 20
_EXPORT = re.compile(rb"^\s*EXPORT_(?:TRACEPOINT_)?SYMBOL(?:_NS)?(?:_GPL)?\(\s*(\w+)", re.MULTILINE)
_WANTED = re.compile(
    r"[^/]+/(?:block|crypto|fs|init|ipc|kernel|lib|mm|net|security|virt|arch/(?P<arch>\w+)"
    r"|drivers/(?:base|char|clk|cpufreq|dma|dma-buf|gpio|i2c|input|iio|leds|misc|mtd|pci|pinctrl|pwm|regulator|rtc|spi|tty"
    r"|usb/core|virtio|video))/.*\.c"
)


def source_archives(kernel: KernelBuild) -> list[Path]:
    """Return the archives of kernel sources that are at hand, that of the kernel's own version first."""
    found = [path for root in (kernel.root, Path("/")) for path in sorted(root.glob("usr/src/linux-source-*.tar.*"))]
    return sorted(found, key=lambda path: not path.name.startswith(f"linux-source-{kernel.series}.tar"))


@dataclass(frozen=True, slots=True)
class Definitions:
    """The exported functions of one kernel's source.

    Attributes:
        path: the SQLite file.
        source: the name of the archive that they are from.
    """

    path: Path
    source: str

    def find(self, name: str) -> tuple[Excerpt, ...]:
        """Return the definitions of an exported function, those with kernel-doc first; empty if there are none."""
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro&immutable=1", uri=True)) as index:
            rows = index.execute("select file, line, code, comment from functions where name = ?", (name,)).fetchall()
        return tuple(
            Excerpt(name, "function", file, line, zlib.decompress(code).decode(), comment)
            for file, line, code, comment in sorted(rows, key=lambda row: (not row[3].startswith("/**"), row[0]))
        )


def find_definitions(kernel: KernelBuild, cache: Path) -> Definitions | None:
    """Return the definitions of a kernel's own source, if they were read out of it already."""
    archive = _own_archive(kernel)
    entry = _store(cache).get(_key(kernel, archive)) if archive else None
    return Definitions(entry.path(_INDEX), str(entry.note["archive"])) if entry else None


def ensure_definitions(kernel: KernelBuild, cache: Path) -> Definitions:
    """Return the definitions of a kernel's own source, read out of it if need be, which takes a minute.

    Raises:
        HostSetupError: the package with the source is not at hand, or damaged.
    """
    archive = _own_archive(kernel)
    if archive is None:
        raise HostSetupError(
            f"read the source of Linux {kernel.series}: it comes with a package of its own, which is not at hand; "
            f"apt-get install linux-source-{kernel.series}"
        )
    found = find_definitions(kernel, cache)
    if found is None:
        try:
            with step(f"Reading the definitions out of {archive.name}"):
                content = _make(kernel, archive)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise HostSetupError(f"read {archive}: {error}; install the package again") from error
        entry = _store(cache).put(_key(kernel, archive), {_INDEX: content}, {"archive": archive.name})
        found = Definitions(entry.path(_INDEX), archive.name)
    return found


def _own_archive(kernel: KernelBuild) -> Path | None:
    own = f"linux-source-{kernel.series}.tar"
    return next((path for path in source_archives(kernel) if path.name.startswith(own)), None)


@lru_cache
def _store(cache: Path) -> Store:
    return Store(cache / "reference", most=20)


def _key(kernel: KernelBuild, archive: Path) -> str:
    facts = archive.stat()
    return hashlib.sha256(
        f"{_FORM} {kernel.key} {archive.name} {facts.st_size} {facts.st_mtime_ns}".encode()
    ).hexdigest()[:40]


def _make(kernel: KernelBuild, archive: Path) -> bytes:
    """The index as the bytes of an SQLite file."""
    config = configuration(kernel)
    arch = ARCHES.get(kernel.arch, kernel.arch)
    with contextlib.closing(sqlite3.connect(":memory:")) as index:
        index.execute("create table functions (name text, file text, line integer, code blob, comment text)")
        for file, data in _files(archive, arch):
            exported = {name.decode() for name in _EXPORT.findall(data)}
            text = data.decode(errors="replace") if exported else ""
            lines = text.split("\n")
            for one in scan(text, config):
                if one.kind == "function" and one.name in exported:
                    comment = "\n".join(lines[one.doc - 1 : one.line - 1]).strip() if one.doc else ""
                    code = zlib.compress("\n".join(lines[one.line - 1 : one.end]).encode())
                    index.execute(
                        "insert into functions values (?, ?, ?, ?, ?)", (one.name, file, one.line, code, comment)
                    )
        index.execute("create index by_name on functions (name)")
        index.commit()
        return index.serialize()


def _files(archive: Path, arch: str) -> Iterator[tuple[str, bytes]]:
    """The C files that may define what is meant for modules: their path in the kernel's tree, and their content."""
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            wanted = _WANTED.fullmatch(member.name)
            if wanted and wanted["arch"] in {None, arch} and member.isfile() and member.size < _LARGEST:
                content = tar.extractfile(member)
                yield member.name.partition("/")[2], content.read() if content else b""
