# SPDX-License-Identifier: MIT
"""Write a cpio archive in the "newc" form, the one that the kernel unpacks as its initramfs.

The form is described in the kernel's ``Documentation/driver-api/early-userspace/buffer-format.rst``. Writing it here
needs no root (device nodes and ownership are only numbers in a header) and gives the same bytes each time.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import PurePosixPath

__all__ = ["initramfs"]


def initramfs(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Return an archive of regular files, owned by root, with the folders that they need.

    Args:
        files: path without a leading slash → (content, permission bits).
    """
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
    entries = [(folder, b"", stat.S_IFDIR | 0o755) for folder in sorted(folders)]
    # The kernel has no console to print on before /dev/console exists in the initramfs.
    entries += [("dev", b"", stat.S_IFDIR | 0o755)] if "dev" not in folders else []
    entries += [(path, content, stat.S_IFREG | mode) for path, (content, mode) in sorted(files.items())]
    archive = bytearray()
    for number, (path, content, mode) in enumerate(entries, start=1):
        archive += _entry(number, path, content, mode)
    archive += _entry(len(entries) + 1, "dev/console", b"", stat.S_IFCHR | 0o600, device=(5, 1))
    archive += _entry(0, "TRAILER!!!", b"", 0)
    return bytes(archive)


def _entry(number: int, path: str, content: bytes, mode: int, device: tuple[int, int] = (0, 0)) -> bytes:
    """One member: a header of hexadecimal fields, the path and the content, each padded to four bytes."""
    name = path.encode() + b"\0"
    # inode, mode, uid, gid, nlink, mtime, filesize, major, minor of the volume, of the device, namesize, checksum
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
