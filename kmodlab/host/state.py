# SPDX-License-Identifier: MIT
"""The folder in which kmodlab keeps all that it fetches and makes: claimed, locked, measured, taken away.

This file, `apt` and `bootstrap` need nothing but Python's own library, since they make the environment in which the
rest runs.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kmodlab.errors import HostSetupError
from kmodlab.host.system import this_system
from kmodlab.progress import say, size_text

__all__ = ["MARKER", "claim", "disk_full", "locked", "machine_release", "need_room", "remove", "writing"]

MARKER = "CACHEDIR.TAG"
"""The file that tells a folder is ours; backup programs know it too (bford.info/cachedir) and skip such a folder."""

_MARK = """Signature: 8a477f597d28d172789f06886806bc55
# This folder belongs to kmodlab. All of it can be fetched or made again; `lab setup --remove` takes it away.
"""
_DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}
_FOLDERS = (
    *("apt", "bundle", "grades", "headers", "images", "kernels", "modules", "objects", "programs"),
    *("python", "recipes", "reference", "style", "symbols", "templates", "tests", "work"),
)
_FILES = ("accelerator.json", "bundle.lock", "packages.lock", "setup.json")
# What may lie in the folder before it is marked: parts of kmodlab make their place in it when they are first used.
_OURS = frozenset(_FOLDERS + _FILES)


def claim(cache: Path) -> None:
    """Make the cache folder and mark it as ours; a second call does nothing.

    Raises:
        HostSetupError: it cannot be made, or it holds something that kmodlab did not put there.
    """
    marker = cache / MARKER
    if marker.is_file():
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
        foreign = sorted(entry.name for entry in cache.iterdir() if entry.name not in _OURS)
        if foreign:
            raise HostSetupError(
                f"use {cache}: it holds what is not kmodlab's ({foreign[0]}); set KMODLAB_CACHE to a folder of its own"
            )
        part = cache / f"{MARKER}.{os.getpid()}"
        part.write_text(_MARK)
        part.rename(marker)
    except OSError as error:
        raise _unusable(cache, error) from error


def _unusable(cache: Path, error: OSError) -> HostSetupError:
    if error.errno == errno.ENOSPC:
        return disk_full(cache)
    name = errno.errorcode.get(error.errno or 0, "?")
    return HostSetupError(f"use {cache}: {error.strerror} ({name}); set KMODLAB_CACHE to a folder that you may write")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a disk that is full, or takes nothing, into a sentence.

    Raises:
        HostSetupError: the block could not write.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_TROUBLE:
            raise
        raise _unusable(folder, error) from error


def remove(cache: Path) -> int:
    """Take away the cache folder with all that is in it; return the bytes that this freed.

    Raises:
        HostSetupError: it is a link, or nothing marks it as kmodlab's.
    """
    if cache.is_symlink():
        raise HostSetupError(f"remove {cache}: it is a symbolic link; remove by hand what it points to")
    if not cache.exists():
        return 0
    marker = cache / MARKER
    if marker.is_symlink() or not marker.is_file() or "kmodlab" not in marker.read_text(errors="replace"):
        raise HostSetupError(f"remove {cache}: nothing marks it as kmodlab's (no {MARKER}); remove it by hand")
    freed = _size(cache)
    # The marker goes last: what an interruption leaves can still be told as ours.
    for entry in sorted(cache.iterdir(), key=lambda path: path == marker):
        if entry.is_dir() and not entry.is_symlink():
            _remove_tree(entry)
        else:
            entry.unlink()
    cache.rmdir()
    return freed


def _size(folder: Path) -> int:
    """The bytes that a folder takes on the disk, a file with several names counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(base, name))  # noqa: PTH118  (80,000 files: Path is slow here)
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total


def _remove_tree(folder: Path) -> None:
    """Remove a folder, also one whose parts are read-only; links are removed, never followed."""

    def mend(function: Callable[[str], Any], path: str, _: Any) -> None:
        parent = Path(path).parent
        for place in (parent, Path(path)):
            if not place.is_symlink() and place.is_dir():
                place.chmod(place.stat().st_mode | stat.S_IRWXU)
        function(path)

    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=mend)
    else:
        shutil.rmtree(folder, onerror=mend)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file for as long as the block runs, so that two processes do not do the same work at once.

    The lock goes with the process that holds it, however it ends.

    Args:
        path: the lock file; it stays behind, empty.
        what: what is waited for, said once if another process holds the lock.

    Raises:
        HostSetupError: the folder cannot be written, so what is missing in it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path.parent, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another kmodlab, which is {what} …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def need_room(folder: Path, needed: int, what: str) -> None:
    """Do nothing if the disk under a folder has so many bytes free.

    Raises:
        HostSetupError: it has not; says how many it has, how many are needed, and where.
    """
    free = shutil.disk_usage(_existing(folder)).free
    if free < needed:
        raise HostSetupError(
            f"make room for {what}: No space left on device (ENOSPC), {size_text(needed)} are needed in {folder} and "
            f"{size_text(free)} are free; free some or set KMODLAB_CACHE to a folder on a larger disk"
        )


def disk_full(folder: Path, needed: int | None = None) -> HostSetupError:
    """The error to raise when a write into a folder failed for lack of room."""
    free = shutil.disk_usage(_existing(folder)).free
    wanted = f"{size_text(needed)} are needed and " if needed else ""
    return HostSetupError(
        f"write to {folder}: No space left on device (ENOSPC), {wanted}{size_text(free)} are free; "
        "free some or set KMODLAB_CACHE to a folder on a larger disk"
    )


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def machine_release() -> str:
    """Name this machine's system, e.g. ``Debian bookworm`` (from ``/etc/os-release``)."""
    return this_system().release
