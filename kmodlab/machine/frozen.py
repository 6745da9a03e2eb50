# SPDX-License-Identifier: MIT
"""The memory of a frozen machine: on the disk between processes, in a sealed memory file within one.

A clone maps the memory copy-on-write. QEMU insists on opening its file for writing all the same, so a hostile guest
that broke out of QEMU could write into the template of all others. A memory file that is sealed against writing ends
that: the kernel refuses every write and every shared writable mapping, for whoever holds it. It costs each process one
copy from the page cache.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["checksum", "fix_size", "load_sealed", "new_memory", "save", "seal"]

# From linux/fcntl.h; Python names them from 3.13 on.
_F_ADD_SEALS, _SIZE_SEALS = 1033, 0x1 | 0x2 | 0x4  # SEAL, SHRINK, GROW
_SEALS = _SIZE_SEALS | 0x8  # WRITE
_BLOCK = 64 << 10
_ZEROS = bytes(_BLOCK)


def new_memory(mebibytes: int) -> int:
    """Return the descriptor of a new memory file of that many MiB, all zeros; the caller closes it."""
    fd = os.memfd_create("kmodlab-memory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(fd, mebibytes << 20)
    return fd


def seal(fd: int) -> None:
    """Forbid every further change of a memory file. No shared writable mapping of it may be left."""
    fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)


def fix_size(fd: int) -> None:
    """Forbid a memory file to grow or shrink; it can still be written."""
    fcntl.fcntl(fd, _F_ADD_SEALS, _SIZE_SEALS)


def save(fd: int, path: Path) -> int:
    """Copy a memory file to the disk, holes left out; return its checksum."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), os.fstat(fd).st_size)
        return _copy(fd, file.fileno())


def load_sealed(path: Path, expected: int) -> int:
    """Return the descriptor of a sealed memory file with what `save` wrote; the caller closes it.

    Raises:
        ValueError: the checksum is not the expected one.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        memory = new_memory(0)
        try:
            os.truncate(memory, os.fstat(file.fileno()).st_size)
            if _copy(file.fileno(), memory) != expected:
                raise ValueError(f"{path.name}: damaged")
            seal(memory)
        except BaseException:
            os.close(memory)
            raise
        return memory


def checksum(data: bytes, start: int = 0) -> int:
    """Return the CRC-32 of some bytes: it finds damage, not malice, and is quick."""
    return zlib.crc32(data, start)


def _copy(source: int, target: int) -> int:
    """Copy what is not zero from one file to another of the same size; return a checksum of content and places.

    It does not depend on where a file system happens to have holes: a copied cache has the same checksum.
    """
    total = 0
    for position in _blocks(source):
        data = os.pread(source, _BLOCK, position)
        if data != _ZEROS[: len(data)]:
            total = checksum(data, checksum(position.to_bytes(8, "little"), total))
            os.pwrite(target, data, position)
    return total


def _blocks(fd: int) -> Iterator[int]:
    """Where the blocks begin that are not wholly a hole."""
    position, size = 0, os.fstat(fd).st_size
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole follows
            return
        position = max(position, start - start % _BLOCK)
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield from range(position, end, _BLOCK)
        position = end + -end % _BLOCK
