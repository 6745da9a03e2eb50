# SPDX-License-Identifier: MIT
"""A working folder on the disk for one job: filled, emptied, and gone at the end whatever the job has made of it."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from kmodlab.build.sandbox.common import named_in_full

__all__ = ["clear", "fill", "gather", "new_folder"]

_GRACE = 60.0
"""Seconds that the maker of a folder has for taking its lock."""


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A new folder that only this user may enter; what dead processes have left beside it goes.

    Raises:
        OSError: it cannot be made.
    """
    place.mkdir(mode=0o711, parents=True, exist_ok=True)
    _sweep(place)
    folder = place.resolve() / secrets.token_hex(8)
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        with suppress(OSError):
            clear(folder)
        os.close(descriptor)


def _sweep(place: Path) -> None:
    for path in place.iterdir():
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if time.time() - os.fstat(descriptor).st_mtime > _GRACE:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    clear(path)
            finally:
                os.close(descriptor)


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a job's files.

    Raises:
        OSError: one cannot be written, or its name leads out.
    """
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise OSError(1, "the name leads out of the folder", name)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def gather(folder: Path, patterns: tuple[str, ...], limit: int) -> dict[str, bytes] | None:
    """Return the regular files whose names match, by relative path; None if they are larger than the limit in all.

    Where each is named in full, it is one of the folder itself, as in the other sandbox.
    Nothing of the job lives any more, so what is looked at stays what it is; a link is never followed.
    """
    found: dict[str, bytes] = {}
    deep = not named_in_full(patterns)
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:  # a path may be longer than the kernel takes
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting += [Path(entry.path)] if deep else []
                elif entry.is_file(follow_symlinks=False) and any(fnmatchcase(entry.name, one) for one in patterns):
                    limit -= entry.stat(follow_symlinks=False).st_size
                    if limit < 0:
                        return None
                    found[str(Path(entry.path).relative_to(folder))] = Path(entry.path).read_bytes()
    return dict(sorted(found.items()))


def clear(folder: Path) -> None:
    """Take a folder away with all in it, however deep: what lies deeper is moved up before it is looked into.

    Raises:
        OSError: it could not be.
    """
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink()
                continue
            Path(entry.path).chmod(0o700)
            for child in list(os.scandir(entry.path)):
                if child.is_dir(follow_symlinks=False):
                    Path(child.path).chmod(0o700)
                    Path(child.path).rename(folder / secrets.token_hex(12))
                else:
                    Path(child.path).unlink()
            Path(entry.path).rmdir()
    folder.rmdir()
