# SPDX-License-Identifier: MIT
"""The quick way to build a module: kbuild's own commands, with the leading includes compiled beforehand.

Two thirds of a build are make itself, and most of the rest is reading the kernel's headers. So the commands are taken
from kbuild (`recipe`) and run without make, and the block of includes with which a source begins is compiled once: a
*precompiled header*, kept under a hash of exactly that block. It holds nothing else, so an include that is forgotten
is still missing.

Whatever is not of a shape that is proven here (`shape`) is for kbuild, whose result is the reference.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kmodlab.build.architecture import architecture
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.build.generated import Forecast, Generated
from kmodlab.build.headers import Header, name_macros, precompiled, with_header
from kmodlab.build.kbuild import ENVIRONMENT, Made
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.parse import parse
from kmodlab.build.recipe import COMMON, Argv, Recipe, named, recipe
from kmodlab.build.sandbox import WORK, Job, Limits, choose
from kmodlab.build.shape import Part, parts_of
from kmodlab.build.source import ModuleSource

__all__ = ["fast", "prepare"]

_USUAL = "#include <linux/init.h>\n#include <linux/module.h>\n"
_STEPS = "steps.sh"
_EXPORTS = "Module.symvers"
_EXPECTED = ".expected.mod"
_UNDEFINED = r"s/^.* UND \(..*\)$/\1/p"
_EXPORTED = r"s/^.* __\(ksymtab\|export_symbol\)_\(..*\)$/\2/p"


@dataclass(frozen=True, slots=True)
class _Unit:
    """A C file with its precompiled header, which is seen at `/PLACE` in the sandbox."""

    part: Part
    header: Header
    place: str


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
    parts = parts_of(source)
    general = recipe(kernel, cache, timeout) if parts else None
    if general is None or (_says(source, b"EXPORT_") and not general.versions):
        return None
    units = _units(source.name, parts, kernel, general, cache, timeout)
    header_mod = precompiled(general.compile_mod, general.begin, general.begin_mod, None, kernel, cache, timeout)
    if not units or header_mod is None:
        return None
    generated = _generated(source.name, kernel, general, header_mod, cache)
    outcome = choose().run(_job(source, kernel, general, units, generated, timeout), watch)
    found = parse(outcome.output, source)
    if outcome.exit_status and not _own(source, found, {f"{part.file}.c": part.lines for part in parts}):
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
            precompiled(flags, general.begin, block, None, kernel, cache, timeout)


def _units(
    name: str, parts: tuple[Part, ...], kernel: KernelBuild, general: Recipe, cache: Path, timeout: float
) -> list[_Unit]:
    """The files with their headers; none if one cannot be had."""
    units = []
    for number, part in enumerate(parts):
        names = (name, part.file)
        header = precompiled(general.compile, general.begin, part.block, names, kernel, cache, timeout)
        if header is None:
            return []
        units.append(_Unit(part, header, f"part{number}" if len(parts) > 1 else "source"))
    return units


def _says(source: ModuleSource, word: bytes) -> bool:
    """Whether a word stands anywhere in a source: what comes of it, the object itself tells."""
    return any(word in content for content in source.files.values())


def _own(source: ModuleSource, found: tuple[Diagnostic, ...], lines: Mapping[str, int]) -> bool:
    """Whether the errors are the code's own or modpost's; those of a leading block are kbuild's to tell."""
    errors = [one for one in found if one.severity == "error"]
    places = [(source.own(one.file), one.line or 0) for one in errors if one.tool != "modpost"]
    return bool(errors) and all(file is not None and line > lines.get(file, 0) for file, line in places)


def _generated(name: str, kernel: KernelBuild, general: Recipe, header: Header, cache: Path) -> Generated:
    """How what modpost writes for a module is compiled."""
    argv = (*with_header(general.compile_mod, header, "mod"), *_to_object(f"{name}.mod"))
    return Generated(name, kernel, header, argv, {"mod.names.h": name_macros(general.compile_mod, name)}, cache)


def _job(
    source: ModuleSource, kernel: KernelBuild, general: Recipe, units: list[_Unit], generated: Generated, timeout: float
) -> Job:
    name = source.name
    forecast = generated.forecast()
    text = [
        "set -o pipefail",
        shlex.join(("cd", str(kernel.headers))),
        *(_several(source, general, units) if len(units) > 1 else _one(source, general, units[0], general.check)),
        *_modpost(named(general.modpost, name), f"{WORK}/{name}.o", exports=_says(source, b"EXPORT_")),
        *_compile_generated(generated, forecast),
        shlex.join(named(general.link, name)),
    ]
    files = {
        **source.files,
        **generated.files,
        **_beside(source, general, units),
        _STEPS: "\n".join(text).encode(),
    }
    if forecast:
        files |= {f"{_EXPECTED}.c": forecast.text, f"{_EXPECTED}.o": forecast.object}
    headers = (*((unit.header.folder, unit.place) for unit in units), (generated.header.folder, "mod"))
    return Job(
        title=f"build {name}",
        argv=("bash", "-e", f"{WORK}/{_STEPS}"),
        files=files,
        results=(f"{name}.ko", f"{name}.mod.c"),
        texts=(_STEPS, "*.cmd", "*.order", "*.mod"),
        binds=(*kernel.header_binds, *((folder, Path("/", place)) for folder, place in headers)),
        # What the kernel's Makefile exports and objtool asks for.
        env={**ENVIRONMENT, "SRCARCH": architecture(kernel.arch).folder},
        limits=Limits(wall=timeout),
        narrow=True,
    )


def _beside(source: ModuleSource, general: Recipe, units: list[_Unit]) -> dict[str, bytes]:
    """What make would have written for those that come after the compiler, and the names of module and files."""
    objects = [f"{WORK}/{unit.part.file}.o\n" for unit in units]
    files = {"modules.order": f"{WORK}/{source.name}.o\n".encode(), f"{source.name}.mod": "".join(objects).encode()}
    for unit in units:
        files[f"{unit.place}.names.h"] = name_macros(general.compile, source.name, unit.part.file)
        files[f".{unit.part.file}.o.cmd"] = _origin(unit.part.file)
    if general.common:
        files[COMMON] = general.common
    return files


def _one(source: ModuleSource, general: Recipe, unit: _Unit, check: Argv) -> Iterator[str]:
    """Lines that compile one file and do to the object what kbuild does."""
    name, file = source.name, unit.part.file
    place = f"{WORK}/.{file}.o"
    summed = _says(source, b"MODULE_VERSION") or "-a" in general.modpost
    noting = (f"-Wp,-MMD,{place}.d",) if summed else ()
    yield _compile((*with_header(general.compile, unit.header, unit.place), *noting, *_to_object(file)))
    if check:
        yield shlex.join(named(check, name, file))
    if summed:  # as fixdep notes it: modpost makes a checksum of the source's own files, in this order
        others = rf"/[.][co]:*$/d; \,^{WORK}/{unit.place}[.]names[.]h$,d; s,^{WORK}/.*,  & \\,p"
        listed = f"tr ' ' '\\n' <{place}.d | sed -n '{others}'"
        yield f"{{ echo 'deps_{WORK}/{file}.o := \\'; {listed}; echo; }} >>{place}.cmd"
    if _says(source, b"EXPORT_"):  # make's shell takes no notice of the beginning of a pipe
        yield f"(set +o pipefail; {named((general.versions,), name, file)[0]})"


def _several(source: ModuleSource, general: Recipe, units: list[_Unit]) -> Iterator[str]:
    """Lines that compile files side by side, say of each in its turn what there is to say, and make them one object."""
    for number, unit in enumerate(units):
        lines = "\n".join(_one(source, general, unit, general.check_part))
        yield f"(\n{lines}\n) >{WORK}/.said{number} 2>&1 & part{number}=$!"
    yield "failed="
    yield from (f"wait $part{number} || failed=1; cat {WORK}/.said{number}" for number in range(len(units)))
    yield '[ -z "$failed" ]'
    yield from (shlex.join(named(argv, source.name)) for argv in (general.combine, general.check_whole) if argv)


def _to_object(stem: str) -> Argv:
    return ("-c", "-o", f"{WORK}/{stem}.o", f"{WORK}/{stem}.c")


def _compile(argv: Argv) -> str:
    """A line that compiles, with the options that the sandbox has for kbuild's compiler."""
    return f"{shlex.join(argv)} $KCFLAGS"


def _modpost(argv: Argv, object_: str, *, exports: bool) -> Iterator[str]:
    """Lines that run modpost with only those of the kernel's exported symbols that the object refers to, or has too.

    For each of 25,000 it goes through a list of modules, which takes most of its time. The one that every module needs
    is among them, by which modpost knows that it has been told of the kernel's.
    """
    places = [at for at, word in enumerate(argv) if word == "-i" and Path(argv[at + 1]).name == _EXPORTS]
    if len(places) == 1:
        at = places[0] + 1
        needed = f"{WORK}/.needed"
        looked = shlex.join(("sed", "-n", "-e", _UNDEFINED, *(("-e", _EXPORTED) if exports else ())))
        yield f"{{ echo module_layout; readelf --symbols --wide {shlex.quote(object_)} | {looked}; }} >{needed}"
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


def _origin(file: str) -> bytes:
    """What fixdep would note of an object before all else."""
    return f"source_{WORK}/{file}.o := {WORK}/{file}.c\n\n".encode()
