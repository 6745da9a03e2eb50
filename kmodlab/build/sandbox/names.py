# SPDX-License-Identifier: MIT
"""The names of files inside the sandbox, where nothing can be mounted: put for those on the host, and back.

A job speaks of ``/build`` and ``/usr/src`` wherever it runs. A backend that cannot make these true puts the places on
the host in what goes in, and the job's own names in what comes out. Objects get the right names from the compiler.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Names"]


class Names:
    """Pairs of names: where something lies, and what the job calls it."""

    def __init__(self, pairs: Sequence[tuple[Path, str]]) -> None:
        """Take pairs (on the host, inside)."""
        self._pairs = tuple((str(place), name) for place, name in pairs)
        self._inside = {name: place for place, name in self._pairs}
        self._outside = {place.encode(): name.encode() for place, name in self._pairs}
        names = "|".join(re.escape(name) for name in sorted(self._inside, key=len, reverse=True))
        # The whole beginning of a path: not the end of another one, but for an option that it is written up to; nor the
        # value of a macro, which is the program's to use.
        self._inward = re.compile(rf"(?:(?<=-I)|(?<![A-Za-z0-9.)\]}}])(?<!=\"))({names})(?=/|[^\w.-]|$)")
        places = b"|".join(re.escape(place) for place in sorted(self._outside, key=len, reverse=True))
        self._outward = re.compile(rb"(" + places + rb")(?=/|[^\w.-]|$)")

    def inward(self, text: str) -> str:
        """Return a text of the job's with the places on the host."""
        return self._inward.sub(lambda match: self._inside[match[1]], text)

    def outward(self, data: bytes) -> bytes:
        """Return what came out with the job's own names."""
        return self._outward.sub(lambda match: self._outside[match[1]], data)

    def flags(self) -> str:
        """Return the compiler's options that put the job's own names into objects.

        What a macro says of a kernel header is the kernel's to say, so only the debug information names the others.
        """
        (work, name), *others = self._pairs
        maps = (f"-fdebug-prefix-map={place}={inside}" for place, inside in others)
        return " ".join((f"-ffile-prefix-map={work}={name}", *maps))
