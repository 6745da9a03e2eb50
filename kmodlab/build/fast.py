# SPDX-License-Identifier: MIT
"""The quick way to build a module of one file: kbuild's own commands, with the leading includes compiled beforehand.

Two thirds of a build are make itself, and most of the rest is reading the kernel's headers. So the commands are taken
from kbuild (`recipe`) and run without make, and the block of includes with which a source begins is compiled once: a
*precompiled header*, kept under a hash of exactly that block. It holds nothing else, so an include that is forgotten
is still missing.

Whatever is not of the shape that is proven here is for kbuild, whose result is the reference.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kmodlab.build.cache import Store
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.build.kbuild import ENVIRONMENT, Made, toolchain
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.parse import parse
from kmodlab.build.recipe import COMMON, PROBE, Argv, Recipe, recipe
from kmodlab.build.sandbox import WORK, Job, Limits, choose
from kmodlab.build.source import ModuleSource
from kmodlab.errors import HostSetupError

__all__ = ["fast", "leading_block", "prepare"]

_FORMAT = 1
_MOST = 12
"""Precompiled headers that are kept, of 30 to 75 MB each."""
_REMARK = r"[ \t]*(?:/\*(?:[^*\n]|\*(?!/))*\*/[ \t]*)?(?://[^\n\\]*)?(?:\n|\Z)"
_BLOCK = re.compile(
    r"[ \t]*(?P<code>\#[ \t]*(?:include[ \t]*<[^>\n]+>|define[ \t]+\w+(?:\([^)\n]*\))?[^\n\\/]*))"
    rf"{_REMARK}|{_REMARK}|[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n"
)
_LATER = re.compile(rb"EXPORT_SYMBOL|CREATE_TRACE_POINTS|__COUNTER__|#[ \t]*pragma")
_USUAL = "#include <linux/init.h>\n#include <linux/module.h>\n"
_HEADER = "block.h"
_STEPS = "steps.sh"


@dataclass(frozen=True, slots=True)
class _Header:
    """A precompiled header: its folder on the host, and whether it knows the module's name."""

    folder: Path
    named: bool


def leading_block(text: str) -> tuple[str, int]:
    """Return the includes and macros with which a C file begins, comments left out, and the number of their lines.

    The block ends with its last include by ``<...>``; it is empty if the file begins with anything else.
    """
    found: list[str] = []
    at = last = end = 0
    while (match := _BLOCK.match(text, at)) and match.end() > at:
        at = match.end()
        if code := match["code"]:
            found.append(code.strip())
            if "include" in code.partition("<")[0]:
                last, end = len(found), at
    return "".join(f"{line}\n" for line in found[:last]), text.count("\n", 0, end)


def fast(
    source: ModuleSource,
    kernel: KernelBuild,
    cache: Path,
    *,
    timeout: float,
    watch: Callable[[bytes], object] | None = None,
) -> Made | None:
    """Return what kbuild would leave for a source, sooner; None if this is a case for kbuild.

    Args:
        source: what is built.
        kernel: whose headers it is built with.
        cache: the folder for what is kept.
        timeout: seconds that each of its steps may take.
        watch: called with each piece of output as it comes.

    Raises:
        SandboxError: the sandbox could not be entered, or the build went over a limit.
    """
    text = _text(source)
    block, lines = leading_block(text) if text is not None else ("", 0)
    general = recipe(kernel, cache, timeout) if block else None
    if general is None:
        return None
    header = _header(general.compile, general.begin, block, source.name, kernel, cache, timeout)
    header_mod = _header(general.compile_mod, general.begin, general.begin_mod, "", kernel, cache, timeout)
    if header is None or header_mod is None:
        return None
    job = _job(source, kernel, general, header, header_mod, timeout)
    outcome = choose().run(job, watch)
    found = parse(outcome.output, source)
    if outcome.exit_status and not _own(source, found, lines):
        return None
    return Made(outcome.exit_status, outcome.files, found, outcome.output)


def prepare(kernel: KernelBuild, cache: Path, timeout: float) -> None:
    """Make ready what every build with a kernel needs, and the block that most first modules begin with.

    Raises:
        SandboxError, HostSetupError: nothing can be built here.
    """
    general = recipe(kernel, cache, timeout)
    if general is not None:
        for flags, block in ((general.compile_mod, general.begin_mod), (general.compile, _USUAL)):
            _header(flags, general.begin, block, "", kernel, cache, timeout)


def _text(source: ModuleSource) -> str | None:
    """The C of a source that is one file with headers and a Kbuild that says just so; None of any other."""
    code = f"{source.name}.c"
    kbuild = [source.files[name] for name in ("Kbuild", "Makefile") if name in source.files]
    c_files = [name for name in source.files if name.endswith((".c", ".S", ".o", ".o_shipped"))]
    if c_files != [code] or len(kbuild) != 1 or any(_LATER.search(one) for one in source.files.values()):
        return None
    said = [line.split("#")[0].split() for line in kbuild[0].decode(errors="replace").splitlines()]
    if [words for words in said if words] not in ([["obj-m", how, f"{source.name}.o"]] for how in (":=", "+=", "=")):
        return None
    try:
        return source.files[code].decode()
    except UnicodeDecodeError:
        return None


def _own(source: ModuleSource, found: tuple[Diagnostic, ...], lines: int) -> bool:
    """Whether the errors are the code's own or modpost's; those of the leading block are kbuild's to tell."""
    errors = [one for one in found if one.severity == "error"]
    return bool(errors) and all(
        one.tool == "modpost" or (source.own(one.file) and (one.line or 0) > lines) for one in errors
    )


def _header(
    flags: Argv, begin: Argv, block: str, name: str, kernel: KernelBuild, cache: Path, timeout: float
) -> _Header | None:
    """The precompiled form of a block, made if it is not there; None if it cannot be had.

    Macros of a block often use the module's name (``pr_fmt``), and so do the headers below then: such a block is
    compiled for one name. Any other serves all modules.
    """
    named = bool(name) and "define" in block
    words = tuple(word.replace(PROBE, name) for word in flags) if named else _nameless(flags)
    text = "".join(f'#include "{path}"\n' for path in begin) + block
    facts = (_FORMAT, words, text, kernel.key, toolchain(kernel).version)
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]
    store = _store(cache)
    try:
        entry = store.get(key) or store.put(key, _precompiled(words, text, kernel, timeout), {})
    except HostSetupError:  # no room for it: kbuild needs none
        return None
    return _Header(entry.folder, named) if entry.files else None


@lru_cache(maxsize=8)
def _store(cache: Path) -> Store:
    return Store(cache / "headers", most=_MOST, recent=0)


def _precompiled(words: Argv, text: str, kernel: KernelBuild, timeout: float) -> dict[str, bytes]:
    """The files of a precompiled header; none if the compiler had anything to say, which kbuild must say each time."""
    job = Job(
        title="compile the kernel's headers beforehand",
        argv=_in_headers(kernel, (*words, "-x", "c-header", "-o", f"{WORK}/{_HEADER}.gch", f"{WORK}/{_HEADER}")),
        files={_HEADER: text.encode()},
        results=(f"{_HEADER}.gch",),
        binds=kernel.header_binds,
        env=ENVIRONMENT,
        limits=Limits(wall=timeout, file_size=128 << 20, output=128 << 20),
    )
    outcome = choose().run(job)
    if outcome.exit_status or outcome.output.strip() or not outcome.files:
        return {}
    return {**outcome.files, _HEADER: text.encode()}


def _job(
    source: ModuleSource, kernel: KernelBuild, general: Recipe, header: _Header, header_mod: _Header, timeout: float
) -> Job:
    name, own = source.name, general.of(source.name)
    object_ = f"{WORK}/{name}"
    steps = (
        (*_with(general.compile, header, "source", name), "-c", "-o", f"{object_}.o", f"{object_}.c"),
        own.check,
        own.modpost,
        (*_with(general.compile_mod, header_mod, "mod", name), "-c", "-o", f"{object_}.mod.o", f"{object_}.mod.c"),
        own.link,
    )
    files = {
        **source.files,
        _STEPS: "\n".join(shlex.join(step) for step in steps if step).encode(),
        "source.names.h": _names(own.compile, general.compile),
        "mod.names.h": _names(own.compile_mod, general.compile_mod),
        f".{name}.o.cmd": _dependencies(source),
        "modules.order": f"{object_}.o\n".encode(),
        f"{name}.mod": f"{object_}.o\n".encode(),
    }
    if own.common:
        files[COMMON] = own.common
    return Job(
        title=f"build {name}",
        argv=_in_headers(kernel, ("bash", "-e", f"{WORK}/{_STEPS}")),
        files=files,
        results=("*.ko", "*.mod.c"),
        binds=(*kernel.header_binds, (header.folder, Path("/source")), (header_mod.folder, Path("/mod"))),
        # What the kernel's Makefile exports and objtool asks for.
        env={**ENVIRONMENT, "SRCARCH": {"x86_64": "x86"}.get(kernel.arch, kernel.arch)},
        limits=Limits(wall=timeout),
    )


def _in_headers(kernel: KernelBuild, argv: Argv) -> Argv:
    return ("env", "-C", str(kernel.headers), *argv)


def _with(flags: Argv, header: _Header, place: str, name: str) -> Argv:
    """A compiler's flags with a precompiled header, which must be the first thing that the compiler reads."""
    begin = ("-include", f"/{place}/{_HEADER}")
    if header.named:
        return (*(word.replace(PROBE, name) for word in flags), *begin)
    return (*_nameless(flags), *begin, "-include", f"{WORK}/{place}.names.h")


def _nameless(flags: Argv) -> Argv:
    return tuple(word for word in flags if PROBE not in word)


def _names(own: Argv, general: Argv) -> bytes:
    """The macros that hold the module's name, as a header: such a one may follow a precompiled header."""
    macros = (word[2:].partition("=") for word, known in zip(own, general, strict=True) if PROBE in known)
    return "".join(f"#define {name} {value}\n" for name, _, value in macros).encode()


def _dependencies(source: ModuleSource) -> bytes:
    """What fixdep would note of the object, as far as modpost reads it: which files of this folder it is made of."""
    target = f"{WORK}/{source.name}.o"
    headers = "".join(f"  {WORK}/{name} \\\n" for name in sorted(source.files) if name.endswith(".h"))
    return f"source_{target} := {WORK}/{source.name}.c\n\ndeps_{target} := \\\n{headers}\n".encode()
