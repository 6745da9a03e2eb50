# SPDX-License-Identifier: MIT
"""What kbuild runs for a module of one file, read from the ``.cmd`` files that it leaves: nothing is written by hand.

A probe is built once for each kernel. Its commands, with the probe's name in them, serve for any module of the same
shape once the name is put in. Where they are not as expected there is no recipe, and kbuild builds everything.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kmodlab.build.cache import Store
from kmodlab.build.kbuild import ENVIRONMENT, VARIABLES, kbuild, toolchain
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.sandbox import WORK
from kmodlab.build.source import ModuleSource
from kmodlab.shared import shared

__all__ = ["COMMON", "PROBE", "Recipe", "has_recipe", "recipe"]

_FORMAT = 1
PROBE = "kmodlab_probe"
"""The probe's name, which stands in its recipe for that of any module."""
_SOURCE = f"""#include <linux/module.h>
static int __init {PROBE}_init(void) {{ return 0; }}
static void __exit {PROBE}_exit(void) {{ }}
module_init({PROBE}_init);
module_exit({PROBE}_exit);
MODULE_LICENSE("GPL");
"""
_COMMAND = re.compile(r"^(?:saved)?cmd_\S+ := (.*)$", re.MULTILINE)
# What the sandbox puts into KCFLAGS, once names are those inside again: see `Sandbox.in_place`.
_SANDBOX_OWN = re.compile(r"-f(?:file|debug)-prefix-map=(.+)=\1")
COMMON = ".module-common.o"
"""Since Linux 6.12 linked into every module, and the same for all of a kernel."""

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The commands, all run in the folder of the kernel's headers.

    Attributes:
        compile: C to an object: the compiler and its flags, without headers to begin with, input and output.
        begin: the headers that stand before everything (``-include``).
        check: objtool on the object; empty if this kernel has none.
        modpost: makes ``NAME.mod.c`` out of the object.
        compile_mod: as `compile`, for that file.
        begin_mod: the includes with which that file begins, as text.
        link: both objects to the ``.ko``.
        common: the content of `COMMON`, empty if the kernel has none.
    """

    compile: Argv
    begin: Argv
    check: Argv
    modpost: Argv
    compile_mod: Argv
    begin_mod: str
    link: Argv
    common: bytes = b""

    def of(self, name: str) -> Recipe:
        """Return the recipe with a module's name put in."""
        put: dict[str, Any] = {
            field: tuple(word.replace(PROBE, name) for word in getattr(self, field))
            for field in ("compile", "check", "modpost", "compile_mod", "link")
        }
        return dataclasses.replace(self, **put)


def recipe(kernel: KernelBuild, cache: Path, timeout: float) -> Recipe | None:
    """Return the recipe of a kernel, out of the cache or by building the probe; None if it has none.

    Raises:
        SandboxError, HostSetupError: the probe could not be built.
    """
    return _kept(kernel, cache, timeout, _key(kernel))


def has_recipe(kernel: KernelBuild, cache: Path) -> bool:
    """Whether the probe was built already."""
    place = cache / "recipes" / _key(kernel)
    return shared(place) is not None or place.is_dir()


def _key(kernel: KernelBuild) -> str:
    facts = (_FORMAT, kernel.key, kernel.arch, toolchain(kernel).version, sorted(ENVIRONMENT.items()), VARIABLES)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


@lru_cache(maxsize=8)
def _kept(kernel: KernelBuild, cache: Path, timeout: float, key: str) -> Recipe | None:
    store = Store(cache / "recipes")
    entry = store.get(key)
    if entry is None:
        made = _probe(kernel, timeout)
        note = {**dataclasses.asdict(made), "common": ""} if made else {}
        entry = store.put(key, {"common": made.common} if made else {}, note)
    if not entry.note:
        return None
    words: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.note.items()
    }
    return Recipe(**{**words, "common": entry.path("common").read_bytes()})


def _probe(kernel: KernelBuild, timeout: float) -> Recipe | None:
    source = ModuleSource.from_text(PROBE, _SOURCE)
    made = kbuild(source, kernel, timeout=timeout, results=("*.cmd", "*.mod.c", COMMON))
    try:
        return _read(made.files) if made.exit_status == 0 else None
    except (KeyError, ValueError, UnicodeDecodeError):
        return None


def _read(files: Mapping[str, bytes]) -> Recipe:
    """Read the recipe off what the probe's build left.

    Raises:
        KeyError, ValueError: it is not of the shape that is known here.
    """
    compile_, *check = _commands(files, f".{PROBE}.o.cmd")
    compile_mod, *rest = _commands(files, f".{PROBE}.mod.o.cmd")
    link, *after = _commands(files, f".{PROBE}.ko.cmd")
    if len(check) > 1 or rest or [argv for argv in after if argv != ("true",)]:
        raise ValueError("more commands than are known")
    *_, modpost = _commands(files, ".Module.symvers.cmd", "|")
    flags, begin = _flags(compile_)
    flags_mod, begin_mod = _flags(compile_mod)
    if begin_mod != begin:
        raise ValueError("two ways to begin")
    includes = re.match(r"(?:[ \t]*#[^\n]*\n|\s*\n)*", files[f"{PROBE}.mod.c"].decode())
    return Recipe(
        compile=flags,
        begin=begin,
        check=check[0] if check else (),
        modpost=_from_file(modpost),
        compile_mod=flags_mod,
        begin_mod=includes[0] if includes else "",
        link=link,
        common=files[COMMON] if any(word.endswith(COMMON) for word in link) else b"",
    )


def _commands(files: Mapping[str, bytes], name: str, between: str = ";") -> list[Argv]:
    """The commands of a ``.cmd`` file.

    Raises:
        KeyError, ValueError: there is no such file, or it needs a shell.
    """
    found = _COMMAND.search(files[name].decode())
    if found is None:
        raise ValueError(name)
    text = found[1].replace("$$", "$").replace("$(pound)", "#")
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word == between:
            commands.append([])
        elif set(word) <= set("();<>|&"):
            raise ValueError(f"{name}: {word}")
        else:
            commands[-1].append(word)
    return [tuple(command) for command in commands if command]


def _flags(argv: Argv) -> tuple[Argv, Argv]:
    """A compiler's flags, and the headers of ``-include``; what names the files of this run is left out.

    Raises:
        ValueError: it does not end in ``-c -o OBJECT SOURCE``, or names the module otherwise than in a macro.
    """
    if argv[-4:-2] != ("-c", "-o"):
        raise ValueError("an unknown way to call the compiler")
    words, flags, begin = list(argv[:-4]), [], []
    while words:
        word = words.pop(0)
        if word == "-include":
            begin.append(words.pop(0))
        elif not (word.startswith("-Wp,-M") or _SANDBOX_OWN.fullmatch(word)):
            flags.append(word)
    if [word for word in flags if PROBE in word and not re.match(r"-D\w+=", word)]:
        raise ValueError("the name stands where it is not known")
    return tuple(flags), tuple(begin)


def _from_file(modpost: Argv) -> Argv:
    """Let modpost read the names of the objects from the file that `fast` writes, in whatever way it got them here."""
    at = modpost.index("-T") + 1
    return (*modpost[:at], f"{WORK}/modules.order", *modpost[at + 1 :])
