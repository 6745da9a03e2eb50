# SPDX-License-Identifier: MIT
"""The quick way to build a module of one file: kbuild's own commands, with the leading includes compiled beforehand.

Two thirds of a build are make itself, and most of the rest is reading the kernel's headers. So the commands are taken
from kbuild (`recipe`) and run without make, and the block of includes with which a source begins is compiled once: a
*precompiled header*, kept under a hash of exactly that block. It holds nothing else, so an include that is forgotten
is still missing.

Whatever is not of the shape that is proven here is for kbuild, whose result is the reference.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from kmodlab.build.architecture import architecture
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.build.generated import Forecast, Generated
from kmodlab.build.headers import Header, names, precompiled, with_header
from kmodlab.build.kbuild import ENVIRONMENT, Made
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.parse import parse
from kmodlab.build.recipe import COMMON, Argv, Recipe, recipe
from kmodlab.build.sandbox import WORK, Job, Limits, choose
from kmodlab.build.source import ModuleSource

__all__ = ["fast", "leading_block", "prepare"]

_REMARK = r"[ \t]*(?:/\*(?:[^*\n]|\*(?!/))*\*/[ \t]*)?(?://[^\n\\]*)?(?:\n|\Z)"
_BLOCK = re.compile(
    r"[ \t]*(?P<code>\#[ \t]*(?:include[ \t]*<[^>\n]+>|define[ \t]+\w+(?:\([^)\n]*\))?[^\n\\/]*))"
    rf"{_REMARK}|{_REMARK}|[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n"
)
_LATER = re.compile(rb"EXPORT_SYMBOL|CREATE_TRACE_POINTS|__COUNTER__|#[ \t]*pragma")
_USUAL = "#include <linux/init.h>\n#include <linux/module.h>\n"
_STEPS = "steps.sh"
_EXPORTS = "Module.symvers"
_EXPECTED = ".expected.mod"


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
    code = _text(source)
    block, lines = leading_block(code) if code is not None else ("", 0)
    general = recipe(kernel, cache, timeout) if block else None
    if general is None:
        return None
    header = precompiled(general.compile, general.begin, block, source.name, kernel, cache, timeout)
    header_mod = precompiled(general.compile_mod, general.begin, general.begin_mod, "", kernel, cache, timeout)
    if header is None or header_mod is None:
        return None
    generated = _generated(source.name, kernel, general, header_mod, cache)
    outcome = choose().run(_job(source, kernel, general, header, generated, timeout), watch)
    found = parse(outcome.output, source)
    if outcome.exit_status and not _own(source, found, lines):
        return None
    if text := outcome.files.get(f"{source.name}.mod.c"):
        generated.remember(text)
    return Made(outcome.exit_status, outcome.files, found, outcome.output)


def prepare(kernel: KernelBuild, cache: Path, timeout: float) -> None:
    """Make ready what every build with a kernel needs, and the block that most first modules begin with.

    Raises:
        SandboxError, HostSetupError: nothing can be built here.
    """
    general = recipe(kernel, cache, timeout)
    if general is not None:
        for flags, block in ((general.compile_mod, general.begin_mod), (general.compile, _USUAL)):
            precompiled(flags, general.begin, block, "", kernel, cache, timeout)


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


def _generated(name: str, kernel: KernelBuild, general: Recipe, header: Header, cache: Path) -> Generated:
    """How what modpost writes for a module is compiled."""
    own = general.of(name)
    argv = (*with_header(general.compile_mod, header, "mod", name), *_to_object(f"{name}.mod"))
    return Generated(name, kernel, header, argv, {"mod.names.h": names(own.compile_mod, general.compile_mod)}, cache)


def _job(
    source: ModuleSource, kernel: KernelBuild, general: Recipe, header: Header, generated: Generated, timeout: float
) -> Job:
    name, own = source.name, general.of(source.name)
    object_ = f"{WORK}/{name}.o"
    forecast = generated.forecast()
    text = [
        "set -o pipefail",
        shlex.join(("cd", str(kernel.headers))),
        _compile((*with_header(general.compile, header, "source", name), *_to_object(name))),
        *([shlex.join(own.check)] if own.check else []),
        *_modpost(own.modpost, object_),
        *_compile_generated(generated, forecast),
        shlex.join(own.link),
    ]
    files = {
        **source.files,
        **generated.files,
        _STEPS: "\n".join(text).encode(),
        "source.names.h": names(own.compile, general.compile),
        f".{name}.o.cmd": _dependencies(source),
        "modules.order": f"{object_}\n".encode(),
        f"{name}.mod": f"{object_}\n".encode(),
    }
    if own.common:
        files[COMMON] = own.common
    if forecast:
        files |= {f"{_EXPECTED}.c": forecast.text, f"{_EXPECTED}.o": forecast.object}
    return Job(
        title=f"build {name}",
        argv=("bash", "-e", f"{WORK}/{_STEPS}"),
        files=files,
        results=(f"{name}.ko", f"{name}.mod.c"),
        texts=(_STEPS, "*.cmd", "*.order", "*.mod"),
        binds=(*kernel.header_binds, (header.folder, Path("/source")), (generated.header.folder, Path("/mod"))),
        # What the kernel's Makefile exports and objtool asks for.
        env={**ENVIRONMENT, "SRCARCH": architecture(kernel.arch).folder},
        limits=Limits(wall=timeout),
        narrow=True,
    )


def _to_object(stem: str) -> Argv:
    return ("-c", "-o", f"{WORK}/{stem}.o", f"{WORK}/{stem}.c")


def _compile(argv: Argv) -> str:
    """A line that compiles, with the options that the sandbox has for kbuild's compiler."""
    return f"{shlex.join(argv)} $KCFLAGS"


def _modpost(argv: Argv, object_: str) -> Iterator[str]:
    """Lines that run modpost with only those of the kernel's exported symbols that the object refers to.

    For each of 25,000 it goes through a list of modules, which takes most of its time. The one that every module needs
    is among them, by which modpost knows that it has been told of the kernel's.
    """
    places = [at for at, word in enumerate(argv) if word == "-i" and Path(argv[at + 1]).name == _EXPORTS]
    if len(places) == 1:
        at = places[0] + 1
        needed = f"{WORK}/.needed"
        undefined = f"readelf --symbols --wide {shlex.quote(object_)} | sed -n 's/^.* UND \\(..*\\)$/\\1/p'"
        yield f"{{ echo module_layout; {undefined}; }} >{needed}"
        yield f"grep -F -w -f {needed} {shlex.quote(argv[at])} >{needed}.symvers"
        argv = (*argv[:at], f"{needed}.symvers", *argv[at + 1 :])
    yield shlex.join(argv)


def _compile_generated(generated: Generated, forecast: Forecast | None) -> Iterator[str]:
    """Lines that compile what modpost has written, or take the object of what it was expected to write."""
    compile_ = _compile(generated.argv)
    if forecast is None:
        yield compile_
        return
    place = shlex.quote(f"{WORK}/{generated.name}.mod")
    same = f"cmp -s {WORK}/{_EXPECTED}.c {place}.c"
    yield f"if {same}; then mv {WORK}/{_EXPECTED}.o {place}.o; else {compile_}; fi"


def _dependencies(source: ModuleSource) -> bytes:
    """What fixdep would note of the object, as far as modpost reads it: which files of this folder it is made of."""
    target = f"{WORK}/{source.name}.o"
    headers = "".join(f"  {WORK}/{name} \\\n" for name in sorted(source.files) if name.endswith(".h"))
    return f"source_{target} := {WORK}/{source.name}.c\n\ndeps_{target} := \\\n{headers}\n".encode()
