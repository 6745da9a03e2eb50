# SPDX-License-Identifier: MIT
"""Reading a module's folder from the disk: what belongs to its source, and nothing that lies outside."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatch
from pathlib import Path

from kmodlab.errors import UsageError

__all__ = ["read_file", "read_folder", "regular_inside"]

_PRODUCTS = (
    *("*.o", "*.ko", "*.ko.*", "*.mod", "*.mod.c", "*.a", "*.so", "*.symvers", "*.order", "*.cmd", "*.dwo", "*.gcno"),
    *("*.su", "*.i", "*.lst", "*~", "core"),
)
# Shown to people or to kmodlab, never to the compiler: changing one must not cause a build.
_NOTES = ("*.md", "*.rst", "*.toml", "*.py", "*.pyc", "*.ipynb", "*.html", "*.png", "*.svg", "*.pdf")
_LARGEST, _MOST = 16 << 20, 1000


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a module's folder, relative path to content.

    Products of a build, hidden files, notes, and links that lead out of the folder are left out. A Makefile written
    on Windows is given the line ends that make wants.

    Raises:
        UsageError: it holds more than a module's source would, or a file that may not be read.
    """
    root = folder.resolve()
    files: dict[str, bytes] = {}
    size = 0
    for base, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            path = Path(base, name)
            inside = regular_inside(path, root) if _wanted(name) else None
            if inside:
                content = read_file(inside)
                if name in {"Kbuild", "Makefile"}:
                    content = content.replace(b"\r\n", b"\n")
                files[path.relative_to(root).as_posix()] = content
                size += len(content)
                if size > _LARGEST or len(files) > _MOST:
                    raise UsageError(
                        f"read {folder}: it holds more than {_MOST} files or {_LARGEST >> 20} MiB, "
                        "too much for a module's source; give the module a folder of its own"
                    )
    return files


def regular_inside(path: Path, root: Path) -> Path | None:
    """Return where a path really leads if that is a regular file below a folder (itself resolved), else None."""
    try:
        place = path.resolve()
        return place if place.is_relative_to(root) and place.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name that no file can have
        return None


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        UsageError: it cannot be read, is no regular file, or is larger than a module's source would be.
    """
    try:
        # Non-blocking, since opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
                raise UsageError(f"read {path}: not a regular file of at most {_LARGEST >> 20} MiB; give a C file")
            return stream.read(_LARGEST)
    except OSError as error:
        raise UsageError(f"read {path}: {error.strerror}; give a file that you may read") from None


def _wanted(name: str) -> bool:
    return not name.startswith(".") and not any(fnmatch(name, pattern) for pattern in _PRODUCTS + _NOTES)
