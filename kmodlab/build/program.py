# SPDX-License-Identifier: MIT
"""Small static programs for the guest, compiled in the sandbox like the modules and kept in the same kind of cache."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from kmodlab.build.architecture import architecture
from kmodlab.build.cache import Store
from kmodlab.build.diagnostics import Diagnostic, as_seen, summary
from kmodlab.build.folder import read_file
from kmodlab.build.kbuild import compiler_version
from kmodlab.build.parse import parse
from kmodlab.build.sandbox import Job, Limits, choose
from kmodlab.build.source import ModuleSource
from kmodlab.config import Settings
from kmodlab.config import settings as default_settings
from kmodlab.errors import CompileError, HostSetupError, UsageError

__all__ = ["build_program"]

_FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-s")
# musl brings no headers of the kernel; those of the C library's package come after its own.
_HEADERS = ("-idirafter", "/usr/include", "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu")
_FORMAT = 1


def build_program(
    source: Path | str,
    *,
    name: str | None = None,
    includes: Sequence[Path] = (),
    flags: Sequence[str] = (),
    cell: tuple[str, int] = ("", 1),
    arch: str = "",
    settings: Settings | None = None,
) -> Path:
    """Return the path of a static program for the guest, compiled from one C file.

    It is linked with musl; for an architecture that is not this computer's own, with the GNU C library.

    Args:
        source: the C file, or its text.
        name: of the program; that of the file if None, which a text does not have.
        includes: folders whose ``.h`` files it may include.
        flags: further arguments for the compiler, such as ``-pthread``.
        cell: what messages call the file, and the line of the cell on which it begins; its own name if empty.
        arch: the guest's architecture, as `KernelBuild.arch` has it; this computer's own if empty.
        settings: where the cache lies and how long it may take; this process's if None.

    Raises:
        CompileError: the compiler refused it.
        HostSetupError: the compiler is not installed.
        UsageError: the file cannot be read, or the name cannot be had.
    """
    chosen = settings or default_settings()
    text = source.encode() if isinstance(source, str) else read_file(source)
    title = name or (source.stem if isinstance(source, Path) else "program")
    if not re.fullmatch(r"\w[\w.-]*", title, re.ASCII):
        raise UsageError(f"name the program {title!r}: not a plain file name; use letters, digits and underscores")
    kind = architecture(arch or os.uname().machine)
    kind.require_compiler()
    compiler = kind.guest_compiler
    if not Path("/usr/bin", compiler).exists():
        raise HostSetupError("compile a program for the guest: musl-gcc is not installed; apt-get install musl-tools")
    files = {f"{title}.c": text, **_headers(includes)}
    system = () if kind.prefix else _HEADERS
    argv = (compiler, *_FLAGS, *system, *flags, *_include_flags(len(includes)), f"{title}.c", "-o", title)
    facts = (
        _FORMAT,
        compiler_version(f"{kind.prefix}gcc"),
        argv,
        [(path, _hash(content)) for path, content in sorted(files.items())],
    )
    key, store = _hash(json.dumps(facts).encode())[:40], Store(chosen.cache / "programs")
    entry = store.get(key)
    if entry is None:
        entry = store.put(key, {title: _compile(title, argv, files, cell, chosen.build_timeout)}, {}, mode=0o755)
    return entry.path(title)


def _headers(includes: Sequence[Path]) -> dict[str, bytes]:
    return {
        f"include{number}/{path.name}": read_file(path)
        for number, folder in enumerate(includes)
        for path in sorted(folder.glob("*.h"))
    }


def _include_flags(count: int) -> list[str]:
    return [f"-Iinclude{number}" for number in range(count)]


def _compile(
    title: str, argv: tuple[str, ...], files: dict[str, bytes], cell: tuple[str, int], timeout: float
) -> bytes:
    job = Job(f"compile {title}", argv, files, results=(title,), env={"LC_ALL": "C"}, limits=Limits(wall=timeout))
    outcome = choose().run(job)
    if outcome.exit_status or title not in outcome.files:
        source = ModuleSource(title, MappingProxyType(files), (), *cell, single=True)
        said = as_seen(map(_without_hint, parse(outcome.output, source)), source)
        raise CompileError(summary(title, said), diagnostics=said, output=outcome.output)
    return outcome.files[title]


def _without_hint(diagnostic: Diagnostic) -> Diagnostic:
    """The hints are for those who write for the kernel."""
    return dataclasses.replace(diagnostic, hint="")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
