# SPDX-License-Identifier: MIT
"""The ELF kernel out of a bzImage, in each compression that kernels use."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import subprocess
from collections.abc import Callable

import pytest

from kmodlab.errors import HostSetupError
from kmodlab.host import kernels, vmlinux
from tests.parts import program

ELF = b"\x7fELF" + bytes(range(256)) * 400


def with_program(*argv: str) -> Callable[[bytes], bytes]:
    return lambda data: (
        subprocess.run(argv, input=data, capture_output=True, check=True).stdout + struct.pack("<I", len(data))
    )


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32) + struct.pack("<I", len(data)),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE) + struct.pack("<I", len(data)),
    "bzip2": lambda data: bz2.compress(data) + struct.pack("<I", len(data)),
    "zstd": with_program("zstd", "-c", "-q"),
    "lz4": with_program("lz4", "-l", "-c", "-q"),
    "none": lambda data: data,
}


def bzimage(payload: bytes, setup_sectors: int = 3, offset: int = 700) -> bytes:
    """An image laid out as in the kernel's boot protocol, with a payload and something behind it."""
    head = bytearray((setup_sectors + 1) * 512 + offset)
    head[0x1F1] = setup_sectors
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, offset, len(payload))
    return bytes(head) + payload + b"relocations"


@pytest.mark.parametrize("name", PACKERS)
def test_every_compression(name: str) -> None:
    if name in {"zstd", "lz4"}:
        program("tools", name)
    assert vmlinux.extract(bzimage(PACKERS[name](ELF))) == ELF


def test_no_setup_sectors_means_four() -> None:
    image = bytearray(bzimage(ELF, setup_sectors=4))
    image[0x1F1] = 0
    assert vmlinux.extract(bytes(image)) == ELF


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (b"", "not a bzImage"),
        (bytes(4096), "not a bzImage"),
        (bzimage(b"\x00rubbish"), "compression 007275626269 is not known"),
        (bzimage(gzip.compress(b"no kernel")), "no ELF file"),
        (bzimage(b"\xfd7zXZ\x00" + bytes(100)), "unpack the kernel's image"),
        (bzimage(gzip.compress(ELF))[:3000], "unpack the kernel's image|no ELF file"),
    ],
)
def test_damaged_images_are_refused(image: bytes, words: str) -> None:
    with pytest.raises(HostSetupError, match=words):
        vmlinux.extract(image)


@pytest.mark.build
def test_the_real_kernel(kernel: kernels.KernelBuild) -> None:
    with kernel.image.open("rb") as file:
        head = file.read(20)
    assert head[:4] == b"\x7fELF"
    machine = {"x86_64": 62, "aarch64": 183}
    assert struct.unpack_from("<H", head, 18)[0] == machine[kernel.arch]
