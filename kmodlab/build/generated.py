# SPDX-License-Identifier: MIT
"""What modpost writes for a module (``NAME.mod.c``), compiled before it is written.

It lists what the module uses of the kernel, so from one edit to the next it is nearly always the same. The text of the
last build is remembered; its object serves where modpost writes that text again, byte for byte.

An object is compiled in a sandbox of its own, from that text alone, and kept under a hash of it: what a stranger's
source may do to its own build does not reach another's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kmodlab.build.cache import Store
from kmodlab.build.headers import Header, in_headers
from kmodlab.build.kbuild import ENVIRONMENT
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.recipe import Argv
from kmodlab.build.sandbox import Job, Limits, choose
from kmodlab.errors import HostSetupError, SandboxError

__all__ = ["Forecast", "Generated"]

_FORMAT = 1
_MOST = 400  # texts and objects, of some ten kilobytes each
_LARGEST = 256 << 10
_LIMITS = Limits(wall=10.0, cpu=5)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What modpost is expected to write, and what becomes of it."""

    text: bytes
    object: bytes


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated source of one module, and how it is compiled.

    Attributes:
        name: the module's.
        kernel: what it is built for.
        header: the precompiled header of generated sources.
        argv: the command that compiles it.
        files: what that needs beside the text.
        cache: the folder for what is kept.
    """

    name: str
    kernel: KernelBuild
    header: Header
    argv: Argv
    files: dict[str, bytes]
    cache: Path

    def forecast(self) -> Forecast | None:
        """Return what modpost is likely to write and its object, which is compiled if it is not there."""
        store = _store(self.cache)
        try:
            last = store.get(self._key("text"))
            if last is None:
                return None
            text = last.path("text").read_bytes()
            key = self._key("object", hashlib.sha256(text).hexdigest())
            entry = store.get(key) or store.put(key, self._compiled(text), {})
            return Forecast(text, entry.path("object").read_bytes()) if entry.files else None
        except (HostSetupError, SandboxError, OSError):  # then it is compiled in its turn
            return None

    def remember(self, text: bytes) -> None:
        """Take note of what modpost has written."""
        store = _store(self.cache)
        last = store.get(self._key("text"))
        checksum = hashlib.sha256(text).hexdigest()
        if len(text) <= _LARGEST and (last is None or last.files.get("text") != checksum):
            try:
                store.put(self._key("text"), {"text": text}, {})
            except HostSetupError:
                return

    def _key(self, *words: str) -> str:
        # The header's name is a hash of kernel, compiler and flags.
        facts = (_FORMAT, self.header.folder.name, self.name, self.argv, *words)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]

    def _compiled(self, text: bytes) -> dict[str, bytes]:
        """The object; nothing if the compiler had anything to say, which must be said each time."""
        result = f"{self.name}.mod.o"
        job = Job(
            title=f"compile {self.name}.mod.c beforehand",
            argv=in_headers(self.kernel, self.argv),
            files={**self.files, f"{self.name}.mod.c": text},
            results=(result,),
            binds=(*self.kernel.header_binds, (self.header.folder, Path("/mod"))),
            env=ENVIRONMENT,
            limits=_LIMITS,
            narrow=True,
        )
        outcome = choose().run(job)
        if outcome.exit_status or outcome.output.strip() or result not in outcome.files:
            return {}
        return {"object": outcome.files[result]}


@lru_cache(maxsize=8)
def _store(cache: Path) -> Store:
    return Store(cache / "objects", most=_MOST, recent=0)
