# SPDX-License-Identifier: MIT
"""Debian packages as the archive lists them and as files: which there are, whether one is whole, what is in it."""

from __future__ import annotations

import hashlib
import re
import tempfile
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmodlab import process
from kmodlab.errors import HostSetupError
from kmodlab.host.state import disk_full
from kmodlab.progress import step

__all__ = ["Deb", "discard", "is_whole", "parse_stanzas", "parse_uris", "unpack"]

_URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) (?:(?P<kind>\w+):(?P<hash>[0-9a-f]+))?$", re.M)


@dataclass(frozen=True, slots=True)
class Deb:
    """One package as the archive offers it.

    Attributes:
        name: its name, e.g. ``kmod``.
        version: its version, with the epoch.
        filename: the name of its file, as apt writes it.
        size: bytes of its file.
        sha256: the hash of its file, or an empty text where the archive names another kind of hash.
    """

    name: str
    version: str
    filename: str
    size: int
    sha256: str = ""

    @property
    def architecture(self) -> str:
        """Debian's word for what it is for: ``amd64``; ``all`` for any."""
        return self.filename.removesuffix(".deb").rpartition("_")[2]


def parse_uris(text: str) -> tuple[Deb, ...]:
    """Read what ``apt-get --print-uris`` prints: one line a package, ``'URI' FILE SIZE HASH``."""
    debs = []
    for line in _URI_LINE.finditer(text):
        name, version, _ = urllib.parse.unquote(line["file"]).rsplit("_", 2)
        sha256 = line["hash"] if line["kind"] == "SHA256" else ""
        debs.append(Deb(name, version, line["file"], int(line["size"]), sha256 or ""))
    return tuple(debs)


def parse_stanzas(text: str) -> list[dict[str, str]]:
    """Read the paragraphs of a Debian control file; continued lines are joined by a newline."""
    stanzas = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace() and name:
                fields[name] += f"\n{line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            stanzas.append(fields)
    return stanzas


def is_whole(file: Path, deb: Deb) -> bool:
    """Whether a file is that package, as long as it should be and with its hash."""
    try:
        if file.stat().st_size != deb.size:
            return False
        with file.open("rb") as stream:
            return not deb.sha256 or hashlib.file_digest(stream, "sha256").hexdigest() == deb.sha256
    except OSError:
        return False


def unpack(files: Sequence[Path], root: Path, *, keep: bool = False) -> None:
    """Unpack packages over one another into a folder that does not exist yet: all of it is there, or nothing.

    Args:
        files: the packages' files.
        root: the folder.
        keep: whether to keep the files, which can be fetched again.

    Raises:
        HostSetupError: a file is damaged, or there is no room on the disk (what was unpacked is gone again then).
    """
    total = sum(file.stat().st_size for file in files)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".new-") as temporary:
        part = Path(temporary) / "root"
        part.mkdir()
        with step(f"Unpacking {len(files)} Debian packages", total=total) as now:
            for file in files:
                _unpack_one(file, part)
                now.update(file.stat().st_size)
        part.rename(root)
    if not keep:
        discard(files)


def discard(files: Iterable[Path]) -> None:
    """Delete packages' files that are not needed any more; they can be fetched again."""
    for file in files:
        file.unlink(missing_ok=True)


def _unpack_one(file: Path, folder: Path) -> None:
    finished = process.run(["dpkg-deb", "-x", file, folder], timeout=1800)
    if finished.exit_status == 0:
        return
    if "No space left" in finished.text:
        raise disk_full(folder.parent.parent)
    words = finished.text.strip().splitlines()
    file.unlink()
    raise HostSetupError(f"unpack {file.name}: {words[-1] if words else 'failed'}; the file is gone now: try again")
