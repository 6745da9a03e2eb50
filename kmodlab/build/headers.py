# SPDX-License-Identifier: MIT
"""Precompiled headers: the block of includes with which a source begins, compiled once and kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kmodlab.build.cache import Store
from kmodlab.build.kbuild import ENVIRONMENT, toolchain
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.recipe import Argv, named, nameless
from kmodlab.build.sandbox import WORK, Job, Limits, choose
from kmodlab.errors import HostSetupError

__all__ = ["Header", "in_headers", "name_macros", "precompiled", "with_header"]

_FORMAT = 1
_MOST = 12
"""Precompiled headers that are kept, of 30 to 75 MB each."""
_HEADER = "block.h"


@dataclass(frozen=True, slots=True)
class Header:
    """A precompiled header: its folder on the host, and the names of module and file if it was compiled for those."""

    folder: Path
    names: tuple[str, str] | None


def precompiled(
    flags: Argv,
    begin: Argv,
    block: str,
    names: tuple[str, str] | None,
    kernel: KernelBuild,
    cache: Path,
    timeout: float,
) -> Header | None:
    """Return the precompiled form of a block, made if it is not there; None if it cannot be had.

    Macros of a block often use the module's name (``pr_fmt``), and so do the headers below then: such a block is
    compiled for one file of one module. Any other serves all modules.

    Args:
        flags, begin: the compiler's, and the headers before everything, of a recipe.
        block: the includes and macros.
        names: of the module and of the file; None if the block uses neither.
        kernel: whose headers they are.
        cache: the folder for what is kept.
        timeout: seconds it may take.

    Raises:
        SandboxError: the sandbox could not be entered, or the compiler went over a limit.
    """
    own = names if "define" in block else None
    words = named(flags, *own) if own else nameless(flags)
    text = "".join(f'#include "{kernel.headers / path}"\n' for path in begin) + block
    facts = (_FORMAT, words, text, kernel.key, toolchain(kernel).version, *_places(kernel))
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]
    store = _store(cache)
    try:
        entry = store.get(key) or store.put(key, _compiled(words, text, kernel, timeout), {})
    except HostSetupError:  # no room for it: kbuild needs none
        return None
    return Header(entry.folder, own) if entry.files else None


@lru_cache(maxsize=8)
def _store(cache: Path) -> Store:
    return Store(cache / "headers", most=_MOST, recent=0)


def _places(kernel: KernelBuild) -> tuple[str, ...]:
    """Where the headers lie, if that is what the compiler saw and keeps."""
    return tuple(str(outside.resolve()) for outside, _ in kernel.header_binds) if choose().in_place else ()


def _compiled(words: Argv, text: str, kernel: KernelBuild, timeout: float) -> dict[str, bytes]:
    """The files of a precompiled header; none if the compiler had anything to say, which kbuild must say each time."""
    # Messages name it, long after the job's own folder has gone.
    name = f'#line 1 "/source/{_HEADER}"\n' if choose().in_place else ""
    job = Job(
        title="compile the kernel's headers beforehand",
        argv=in_headers(kernel, (*words, "-x", "c-header", "-o", f"{WORK}/{_HEADER}.gch", f"{WORK}/{_HEADER}")),
        files={_HEADER: f"{name}{text}".encode()},
        results=(f"{_HEADER}.gch",),
        texts=(_HEADER,),
        binds=kernel.header_binds,
        env=ENVIRONMENT,
        limits=Limits(wall=timeout, file_size=128 << 20, output=128 << 20),
        narrow=True,
    )
    outcome = choose().run(job)
    if outcome.exit_status or outcome.output.strip() or not outcome.files:
        return {}
    return {**outcome.files, _HEADER: text.encode()}


def in_headers(kernel: KernelBuild, argv: Argv) -> Argv:
    """Return a compiler's command that runs in the folder of a kernel's headers, with the sandbox's own options."""
    return ("sh", "-c", 'cd "$0" && exec "$@" $KCFLAGS', str(kernel.headers), *argv)


def with_header(flags: Argv, header: Header, place: str) -> Argv:
    """Return a compiler's flags with a precompiled header, which must be the first thing that the compiler reads."""
    begin = ("-include", f"/{place}/{_HEADER}")
    if header.names:
        return (*named(flags, *header.names), *begin)
    return (*nameless(flags), *begin, "-include", f"{WORK}/{place}.names.h")


def name_macros(flags: Argv, module: str, file: str = "") -> bytes:
    """Return the macros that hold the names, as a header: such a one may follow a precompiled header."""
    without = nameless(flags)
    macros = (word[2:].partition("=") for word in named(tuple(w for w in flags if w not in without), module, file))
    return "".join(f"#define {name} {value}\n" for name, _, value in macros).encode()
