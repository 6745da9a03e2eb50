# SPDX-License-Identifier: MIT
"""What kbuild runs for a module, read from what it leaves and says: nothing is written by hand.

Two probes are built once for each kernel: a module of one file, and one of two that exports a symbol. Their commands,
with the probes' names in them, serve for any module of the same shape once its own are put in. Where they are not as
expected there is no recipe, and kbuild builds everything.
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
from kmodlab.build.kbuild import ENVIRONMENT, VARIABLES, Made, kbuild, toolchain
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.sandbox import WORK
from kmodlab.build.source import ModuleSource
from kmodlab.shared import shared

__all__ = ["COMMON", "Argv", "Recipe", "has_recipe", "named", "nameless", "recipe"]

_FORMAT = 2
_PROBE, _PAIR = "kmodlab_probe", "kmodlab_pair"
_PART = "kmodlab_part"  # one of the pair's files
_MODULE, _FILE = "{MODULE}", "{FILE}"  # what stands in a recipe for the names of a module and of one of its files
_SOURCE = f"""#include <linux/module.h>
static int __init {_PROBE}_init(void) {{ return 0; }}
static void __exit {_PROBE}_exit(void) {{ }}
module_init({_PROBE}_init);
module_exit({_PROBE}_exit);
MODULE_LICENSE("GPL");
"""
_EXPORTING = f"""#include <linux/module.h>
int {_PART}_one(void);
int {_PART}_one(void) {{ return 1; }}
EXPORT_SYMBOL({_PART}_one);
"""
_PROBES = {
    f"{_PROBE}.c": _SOURCE,
    f"{_PART}.c": _EXPORTING,
    "kmodlab_rest.c": _SOURCE,
    "Kbuild": f"obj-m := {_PROBE}.o {_PAIR}.o\n{_PAIR}-y := {_PART}.o kmodlab_rest.o\n",
}
# What runs after an object was compiled and stands in no file: the checksums of what it exports.
_VERSIONS = re.compile(
    rf"^\s*(if \S*nm {WORK}/{_PART}\.o .*; then .* -E -D__GENKSYMS__ .* >> {WORK}/\.{_PART}\.o\.cmd; fi)\s*$",
    re.MULTILINE,
)
_COMMAND = re.compile(r"^(?:saved)?cmd_\S+ := (.*)$", re.MULTILINE)
# What the sandbox puts into KCFLAGS, once names are those inside again: see `Sandbox.in_place`.
_SANDBOX_OWN = re.compile(r"-f(?:file|debug)-prefix-map=(\S+)=\1(?!\S)")
COMMON = ".module-common.o"
"""Since Linux 6.12 linked into every module, and the same for all of a kernel."""

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The commands, all run in the folder of the kernel's headers; see `named` for the names in them.

    Attributes:
        compile: C to an object: the compiler and its flags, without headers to begin with, input and output.
        begin: the headers that stand before everything (``-include``).
        check: objtool on the object of a module of one file; empty if this kernel has none.
        check_part: the same for one of several files.
        versions: a line of shell that notes the checksums of the symbols that an object exports, if it does.
        combine: the objects of several files to one.
        check_whole: objtool on that.
        modpost: makes ``NAME.mod.c`` out of the object.
        compile_mod: as `compile`, for that file.
        begin_mod: the includes with which that file begins, as text.
        link: both objects to the ``.ko``.
        common: the content of `COMMON`, empty if the kernel has none.
    """

    compile: Argv
    begin: Argv
    check: Argv
    check_part: Argv
    versions: str
    combine: Argv
    check_whole: Argv
    modpost: Argv
    compile_mod: Argv
    begin_mod: str
    link: Argv
    common: bytes = b""


def named(words: Argv, module: str, file: str = "") -> Argv:
    """Return a command of a recipe with the names of a module, and of one of its files, put in."""
    return tuple(word.replace(_MODULE, module).replace(_FILE, file or module) for word in words)


def nameless(words: Argv) -> Argv:
    """Return a command of a recipe without the words that hold a name."""
    return tuple(word for word in words if _MODULE not in word and _FILE not in word)


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
    files = {name: text.encode() for name, text in _PROBES.items()}
    source = ModuleSource(_PROBE, files, (_PROBE, _PAIR))
    results = ("*.cmd", "*.mod.c", COMMON)
    made = kbuild(source, kernel, timeout=timeout, variables=("V=1",), results=results)
    try:
        return _read(made) if made.exit_status == 0 else None
    except (KeyError, ValueError, UnicodeDecodeError):
        return None


def _read(made: Made) -> Recipe:
    """Read the recipe off what the probes' build left and said.

    Raises:
        KeyError, ValueError: it is not of the shape that is known here.
    """
    files = made.files
    compile_, *check = _commands(files, f".{_PROBE}.o.cmd")
    part, *check_part = _commands(files, f".{_PART}.o.cmd")
    combine, *check_whole = _commands(files, f".{_PAIR}.o.cmd")
    compile_mod, *rest = _commands(files, f".{_PROBE}.mod.o.cmd")
    link, *after = _commands(files, f".{_PROBE}.ko.cmd")
    if max(map(len, (check, check_part, check_whole))) > 1 or rest or [argv for argv in after if argv != ("true",)]:
        raise ValueError("more commands than are known")
    *_, modpost = _commands(files, ".Module.symvers.cmd", "|")
    flags, begin = _flags(_general(part))
    flags_mod, begin_mod = _flags(_general(compile_mod))
    if not begin_mod == begin == _flags(compile_)[1] or named(flags, _PROBE) != _flags(compile_)[0]:
        raise ValueError("two ways to begin")
    versions = _VERSIONS.search(made.output)
    line = _SANDBOX_OWN.sub("", versions[1]) if versions else ""
    includes = re.match(r"(?:[ \t]*#[^\n]*\n|\s*\n)*", files[f"{_PROBE}.mod.c"].decode())
    return Recipe(
        compile=flags,
        begin=begin,
        check=_general(*check),
        check_part=_general(*check_part),
        versions=_general((line,))[0],
        combine=_general(combine),
        check_whole=_general(*check_whole),
        modpost=_from_file(modpost),
        compile_mod=flags_mod,
        begin_mod=includes[0] if includes else "",
        link=_general(link),
        common=files[COMMON] if any(word.endswith(COMMON) for word in link) else b"",
    )


def _general(argv: Argv = ()) -> Argv:
    """A command of a probe's with the places of its names marked."""
    return tuple(word.replace(_PROBE, _MODULE).replace(_PAIR, _MODULE).replace(_PART, _FILE) for word in argv)


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
    if [word for word in flags if (word,) != nameless((word,)) and not re.match(r"-D\w+=", word)]:
        raise ValueError("the name stands where it is not known")
    return tuple(flags), tuple(begin)


def _from_file(modpost: Argv) -> Argv:
    """Let modpost read the names of the objects from the file that `fast` writes, in whatever way it got them here."""
    at = modpost.index("-T") + 1
    return (*modpost[:at], f"{WORK}/modules.order", *modpost[at + 1 :])
