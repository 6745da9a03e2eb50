# SPDX-License-Identifier: MIT
"""A store of results, addressed by a hash of what they were made from.

An entry is a folder: its files, and ``entry.json`` with their checksums and a note. It appears by one rename, so a
reader sees all of it or nothing, in whatever process and whatever moment the writer dies. A damaged entry is taken
away when it is met and counts as absent.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmodlab.errors import HostSetupError
from kmodlab.shared import pass_over, shared

__all__ = ["Entry", "Store"]

_TEMPORARY = ".new-"
# A folder of which the owner has not yet taken the lock is younger than this many seconds, and an entry that another
# process has just been told of is not taken from under it.
_GRACE = 60.0
_RECENT = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """What the store holds for a key.

    Attributes:
        folder: where its files lie.
        files: their names and checksums (SHA-256, hexadecimal).
        note: what was stored beside them.
    """

    folder: Path
    files: Mapping[str, str]
    note: Mapping[str, Any]

    def path(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.folder / name


class Store:
    """A folder of entries, for any number of processes at once."""

    def __init__(self, folder: Path, *, most: int = 500, recent: float = _RECENT) -> None:
        """Name the folder, made at first use.

        Args:
            folder: where it is.
            most: the number of entries above which those that were not used for longest go.
            recent: seconds in which an entry stays all the same, since somebody may be using it by its path.
        """
        self.folder = folder
        self.most = most
        self.recent = recent
        self._sound: dict[Path, tuple[object, ...]] = {}

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, every byte of it checked, or None; what others share with us comes first."""
        place = shared(self.folder / key)
        if place is not None:
            entry = self._entry(place, key)
            if entry is not None:
                return entry
            pass_over(place, "damaged")
        return self._get_own(key)

    def _get_own(self, key: str) -> Entry | None:
        """The same of this store alone; what is damaged is taken away."""
        folder = self.folder / key
        there = os.path.lexists(folder)
        entry = self._entry(folder, key) if there else None
        if entry is None:
            if there:
                self._discard(folder)
            return None
        with suppress(OSError):
            os.utime(folder)
        return entry

    def _entry(self, folder: Path, key: str) -> Entry | None:
        """What a folder holds for a key, or None if it is not there whole."""
        try:
            facts = json.loads((folder / "entry.json").read_bytes())
            entry = Entry(folder, dict(facts["files"]), dict(facts["note"]))
            sound = facts["key"] == key and all(
                self._is_sound(folder / name, checksum) for name, checksum in entry.files.items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return entry if sound else None

    def put(self, key: str, files: Mapping[str, bytes], note: Mapping[str, Any], *, mode: int = 0o644) -> Entry:
        """Store files (plain names, one mode) and a note (JSON values) under a key, in place of what was there.

        What is there already with the same content stays, since another process may be using it by its path.

        Raises:
            HostSetupError: the disk is full, or the folder may not be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.sweep()
            checksums = {name: _checksum(content) for name, content in files.items()}
            there = self.get(key)
            if there and (there.files, there.note) == (checksums, dict(note)):
                return there
            with self._temporary() as new:
                for name, content in files.items():
                    (new / name).write_bytes(content)
                    (new / name).chmod(mode)
                facts = {"key": key, "files": checksums, "note": dict(note)}
                (new / "entry.json").write_text(json.dumps(facts))
                self._place(new, self.folder / key)
        except OSError as error:
            raise HostSetupError(
                f"write {self.folder}: {error.strerror}; make room there, or set KMODLAB_CACHE to a folder elsewhere"
            ) from error
        self._shrink()
        return Entry(self.folder / key, checksums, dict(note))

    def _is_sound(self, path: Path, checksum: str) -> bool:
        """Whether a file is what was stored; read anew only if it has changed since this process read it."""
        facts = path.stat()
        state = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, checksum)
        if self._sound.get(path) != state:
            if _checksum(path.read_bytes()) != checksum:
                return False
            self._sound[path] = state
        return True

    def sweep(self) -> None:
        """Take away the unfinished entries of processes that have died."""
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    if time.time() - os.fstat(descriptor).st_mtime > _GRACE:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(descriptor)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A new folder whose lock says that its owner lives; whatever is left of it at the end goes."""
        path = self.folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        descriptor = -1
        try:
            path.mkdir()
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            if descriptor >= 0:
                os.close(descriptor)

    def _place(self, new: Path, folder: Path) -> None:
        """Rename a finished entry to its place; another one that is there already is renamed away first.

        If another process has placed the same meanwhile, its entry stays: somebody may be reading it.
        """
        while True:
            try:
                new.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
                there, made = self._get_own(folder.name), json.loads((new / "entry.json").read_text())
                if there and (there.files, there.note) == (made["files"], made["note"]):
                    shutil.rmtree(new)
                    return
                self._discard(folder)
            else:
                return

    def _discard(self, folder: Path) -> None:
        """Take an entry away at once, as others see it: first by a rename, then for good."""
        away = self.folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        with suppress(OSError):
            folder.rename(away)
            shutil.rmtree(away, ignore_errors=True)

    def _shrink(self) -> None:
        """Take the entries away that were not used for longest, down to the number that may stay."""
        with suppress(OSError):
            entries = sorted(
                (
                    (path.stat().st_mtime, path)
                    for path in self.folder.iterdir()
                    if not path.name.startswith(_TEMPORARY)
                ),
                reverse=True,
            )
            for used, path in entries[self.most :]:
                if time.time() - used > self.recent:
                    self._discard(path)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
