# SPDX-License-Identifier: MIT
"""What a guest command prints, passed on to the running cell while it comes."""

from __future__ import annotations

import codecs
import contextvars
import sys

__all__ = ["Stream"]


class Stream:
    """Takes pieces of output in any thread and writes them to the cell that made this object.

    ipykernel finds the cell that an output belongs to in a context variable, so each piece is written in a copy of
    the cell's context.
    """

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._targets = {1: sys.stdout, 2: sys.stderr}
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {number: decoder(errors="replace") for number in self._targets}

    def __call__(self, number: int, piece: bytes) -> None:
        """Write a piece of standard output (1) or standard error (2)."""
        self._write(number, self._decoders[number].decode(piece))

    def close(self) -> None:
        """Write what is left of a character that was cut."""
        for number, decoder in self._decoders.items():
            self._write(number, decoder.decode(b"", final=True))

    def _write(self, number: int, text: str) -> None:
        if text:
            self._context.run(self._targets[number].write, text)
            self._context.run(self._targets[number].flush)
