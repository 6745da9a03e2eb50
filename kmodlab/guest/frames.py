# SPDX-License-Identifier: MIT
"""The frames between the host and the agent in the guest, as bytes; ``vm/agent/protocol.h`` is the other side."""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmodlab.errors import UsageError

__all__ = [
    "FRAME_MAX",
    "NONCE_SIZE",
    "PROTOCOL_VERSION",
    "STDIN_WINDOW",
    "Exit",
    "ExitFlag",
    "Frame",
    "FrameParser",
    "How",
    "Type",
    "encode",
    "encode_identity",
    "encode_start",
    "header_of",
]

PROTOCOL_VERSION = 2
FRAME_MAX = 256 << 10
STDIN_WINDOW = 256 << 10
NONCE_SIZE = 16

_MAGIC = b"kml1"
_CHECK_SEED = 0x4D4B
_HEADER = struct.Struct("<4sIIBBH")
_WORDS = struct.Struct("<7H")
_EXIT = struct.Struct("<BBHiQ")
_IDENTITY = struct.Struct("<Q64s32s6s2x")
_WORDS_MAX = 4096


class Type(enum.IntEnum):
    """What a frame is; the description of each stands in ``vm/README.md``."""

    HELLO = 0x01
    START = 0x02
    STDIN = 0x03
    STDIN_EOF = 0x04
    SIGNAL = 0x05
    PING = 0x06
    IDENTITY = 0x07
    WELCOME = 0x81
    OUT = 0x82
    ERR = 0x83
    EXIT = 0x84
    CREDIT = 0x85
    PONG = 0x86
    IDENTIFIED = 0x87


class How(enum.IntEnum):
    """How a task ended: by itself, by a signal, or nobody knows (it never started, or it is stuck)."""

    EXITED = 0
    SIGNALLED = 1
    UNKNOWN = 2


class ExitFlag(enum.IntFlag):
    """What else there is to say about the end of a task."""

    TIMED_OUT = 1
    STUCK = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as received."""

    task: int
    type: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Exit:
    """The payload of an EXIT frame.

    Attributes:
        how: how the task ended.
        flags: whether its time was up, whether it is stuck in the kernel.
        error: errno of a built-in, or of what kept a program from starting; 0 if none.
        code: exit status or number of the signal.
        log_us: time (microseconds since boot) of the kernel log's newest record, 0 if unknown.
    """

    how: How
    flags: ExitFlag
    error: int
    code: int
    log_us: int

    @classmethod
    def decode(cls, payload: bytes) -> Exit:
        """Return the record in a payload; a damaged one counts as an end that nobody knows more about."""
        if len(payload) != _EXIT.size or payload[0] > How.UNKNOWN:
            return cls(How.UNKNOWN, ExitFlag(0), 0, 0, 0)
        how, flags, error, code, log_us = _EXIT.unpack(payload)
        return cls(How(how), ExitFlag(flags & 3), error, code, log_us)


def header_of(task: int, kind: int, length: int) -> bytes:
    """Return the header of a frame whose payload has this length in bytes."""
    header = _HEADER.pack(_MAGIC, task, length, kind, 0, 0)
    return header[:-2] + struct.pack("<H", _check(header))


def encode(kind: Type, task: int = 0, payload: bytes | memoryview = b"") -> bytes:
    """Return a frame as it goes over the wire."""
    return b"".join((header_of(task, kind, len(payload)), payload))


def encode_start(task: int, argv: Sequence[str], cwd: str, env: Mapping[str, str], limit_ms: int) -> bytes:
    """Return the START frame of a task.

    Raises:
        UsageError: no argument at all, too many or too long ones, or one with a NUL character.
    """
    words = [cwd, *argv, *(f"{name}={value}" for name, value in env.items())]
    encoded = [word.encode(errors="surrogateescape") for word in words]
    if not argv or any(b"\0" in word for word in encoded):
        raise UsageError(f"run {argv[:1]}: a command has at least one word, and no NUL characters")
    payload = struct.pack("<III", limit_ms, len(argv), len(env)) + b"".join(word + b"\0" for word in encoded)
    if len(payload) > FRAME_MAX or max(len(argv), len(env)) > _WORDS_MAX:
        size = f"{len(payload)} bytes in {len(argv)} words"
        raise UsageError(f"run {argv[0][:40]}: the command is too long ({size}); push it as a file and run that")
    return encode(Type.START, task, payload)


def encode_identity(epoch_ns: int, entropy: bytes = b"", machine_id: str = "", mac: bytes = b"") -> bytes:
    """Return the IDENTITY frame of a clone: all of it, or the wall clock alone (nanoseconds since 1970)."""
    if not entropy:
        return encode(Type.IDENTITY, 0, struct.pack("<Q", epoch_ns))
    return encode(Type.IDENTITY, 0, _IDENTITY.pack(epoch_ns, entropy, machine_id.encode("ascii"), mac))


class FrameParser:
    """Turns the received bytes into frames; what is no frame is skipped up to the next one."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole now."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= _HEADER.size:
                magic, task, length, kind, _, check = _HEADER.unpack_from(buffer, at)
                if magic != _MAGIC or length > FRAME_MAX or check != _check(buffer, at):
                    next_at = buffer.find(_MAGIC, at + 1)
                    # The last bytes may be the beginning of a header.
                    at = next_at if next_at >= 0 else len(buffer) - len(_MAGIC) + 1
                    continue
                start, end = at + _HEADER.size, at + _HEADER.size + length
                if end > len(buffer):
                    break
                at = end
                yield Frame(task, kind, bytes(buffer[start:end]))
        finally:
            del buffer[:at]


def _check(header: bytes | bytearray, at: int = 0) -> int:
    value = _CHECK_SEED
    for word in _WORDS.unpack_from(header, at):
        value ^= word
    return value
