# SPDX-License-Identifier: MIT
"""Runs a command where the kernel refuses what sandboxes are made of, as a container's seccomp profile does.

    python tests/refused.py [--landlock] PROGRAM [ARGUMENT...]

Name spaces are refused, and with ``--landlock`` Landlock too; the same holds for all that the command starts. It needs
no rights and nothing but Python.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Mapping

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _ANY_BIT, _END = 0x20, 0x15, 0x45, 0x06  # BPF: a word of the call, two comparisons, the verdict
_ALLOW, REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_NEW_NAMESPACES = 0x7E020000
# By machine: seccomp's word for it, and the numbers of clone, unshare and setns. Later calls have one number on all.
_CALLS = {"x86_64": (0xC000003E, 56, 272, 308), "aarch64": (0xC00000B7, 220, 97, 268)}
CLONE3, _LANDLOCK = 435, (444, 445, 446)


def compiled(refused: Mapping[int, int], foreign: int = _ALLOW) -> bytes:
    """Return a seccomp program that refuses system calls, and to make name spaces by clone and unshare.

    Args:
        refused: the error that each gives, by the number that the call has on this machine.
        foreign: what becomes of the calls of a program for another machine.
    """
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in _instructions(refused, foreign))


def _instructions(refused: Mapping[int, int], foreign: int) -> Iterator[tuple[int, int, int, int]]:
    """The instructions: code, jumps if true and if false, value."""
    machine, clone, unshare, _ = _CALLS[os.uname().machine]
    yield from ((_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, machine), (_END, 0, 0, foreign), (_LOAD, 0, 0, _NUMBER))
    for number, error in refused.items():
        yield from ((_EQUAL, 0, 1, number), (_END, 0, 0, REFUSE | error))
    for number in (clone, unshare):
        yield from ((_EQUAL, 0, 4, number), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_NAMESPACES))
        yield from ((_END, 0, 0, REFUSE | errno.EPERM), (_END, 0, 0, _ALLOW))
    yield (_END, 0, 0, _ALLOW)


def refuse(landlock: bool) -> None:
    """Have it refused from here on.

    Args:
        landlock: Landlock as well.

    Raises:
        OSError: the kernel has no seccomp.
    """
    setns = _CALLS[os.uname().machine][3]
    code = compiled(
        {CLONE3: errno.ENOSYS, setns: errno.EPERM} | (dict.fromkeys(_LANDLOCK, errno.EPERM) if landlock else {})
    )
    buffer = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, program, 0, 0)):
        if libc.prctl(*words):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    words = sys.argv[1:]
    with_landlock = words[:1] == ["--landlock"]
    refuse(with_landlock)
    command = words[with_landlock:]
    os.execvp(command[0], command)
