# SPDX-License-Identifier: MIT
"""Takes the uncompressed kernel out of its image, since most of an emulated boot would be its decompression.

Of x86 the layout is that of the kernel's ``Documentation/arch/x86/boot.rst``: the compressed ELF file stands behind the
boot code, at ``(setup_sects + 1) * 512 + payload_offset``, ``payload_length`` bytes long. Of arm64 it is that of
``Documentation/arch/arm64/booting.rst``: the image is the kernel itself, as it lies in memory.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from kmodlab import process
from kmodlab.errors import HostSetupError

__all__ = ["extract"]

_SETUP_SECTS = 0x1F1
_MAGIC = 0x202  # "HdrS"
_ARM64 = 0x38
_PAYLOAD = 0x248  # payload_offset and payload_length, since version 2.08 of the boot protocol


def extract(image: bytes) -> bytes:
    """Return the ELF file that a bzImage holds; the image of an arm64 kernel as it is.

    Raises:
        HostSetupError: it is neither, or is compressed in a way that is not known or lacks its tool.
    """
    if image[_ARM64 : _ARM64 + 4] == b"ARM\x64":
        return image
    if image[_MAGIC : _MAGIC + 4] != b"HdrS" or len(image) < _PAYLOAD + 8:
        raise HostSetupError("read the kernel's image: not a bzImage; remove the kernel's folder and set it up again")
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    start = ((image[_SETUP_SECTS] or 4) + 1) * 512 + offset
    elf = _decompress(image[start : start + length])
    if elf[:4] != b"\x7fELF":
        raise HostSetupError("read the kernel's image: its payload is no ELF file; set the kernel up again")
    return elf


def _decompress(payload: bytes) -> bytes:
    for magic, unpack in _FORMATS.items():
        if payload.startswith(magic):
            try:
                return unpack(payload)
            except (lzma.LZMAError, zlib.error, OSError, ValueError, EOFError) as error:
                raise HostSetupError(f"unpack the kernel's image: {error}; set the kernel up again") from error
    raise HostSetupError(f"unpack the kernel's image: compression {payload[:6].hex()} is not known; use another kernel")


def _program(*argv: str) -> Callable[[bytes], bytes]:
    """Decompress with a program that reads a file and writes to standard output."""

    def unpack(payload: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="kmodlab-") as folder:
            file = Path(folder) / "payload"
            # The kernel's own Makefile appends the length of the content, which these programs take for rubbish.
            file.write_bytes(payload[:-4])
            finished = process.run([*argv, file], timeout=120, limit=1 << 30)
        if finished.exit_status != 0:
            raise ValueError(finished.stderr.decode(errors="replace").strip() or f"{argv[0]} failed")
        return finished.stdout

    return unpack


class _Decompressor(Protocol):
    """What the decompressor objects of Python's library have in common."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _object(new: Callable[[], _Decompressor]) -> Callable[[bytes], bytes]:
    """Decompress with an object, which unlike a function leaves what stands behind the end of the stream alone."""

    def unpack(payload: bytes) -> bytes:
        stream = new()
        content = stream.decompress(payload)
        if not stream.eof:
            raise EOFError("it ends too early")
        return content

    return unpack


_FORMATS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\xfd7zXZ\x00": _object(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    b"\x5d\x00\x00": _object(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
    b"\x1f\x8b": _object(lambda: zlib.decompressobj(31)),
    b"BZh": _object(bz2.BZ2Decompressor),
    b"\x28\xb5\x2f\xfd": _program("zstd", "-d", "-c", "-q"),
    b"\x02\x21\x4c\x18": _program("lz4", "-d", "-c", "-q"),
    b"\x7fELF": lambda data: data,
}
