# SPDX-License-Identifier: MIT
"""One run of the kernel's own build system, in the compile sandbox, on a private copy of the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kmodlab import process
from kmodlab.build.architecture import architecture
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.parse import parse
from kmodlab.build.sandbox import WORK, Job, Limits, choose
from kmodlab.build.source import ModuleSource
from kmodlab.errors import HostSetupError

__all__ = ["Made", "Toolchain", "compiler_version", "kbuild", "toolchain"]

# Fixed, so that the same source gives the same bytes whenever and by whomever it is built. With LC_ALL=C the tools
# speak the language that the parser reads.
ENVIRONMENT = {
    "LC_ALL": "C",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "learner",
    "KBUILD_BUILD_HOST": "kmodlab",
    "SOURCE_DATE_EPOCH": "0",
}
# BTF of a module is made from the kernel's vmlinux by pahole; where headers bring the first and the host lacks the
# second, the build would fail. Without it the result does not depend on the host.
VARIABLES = ("CONFIG_DEBUG_INFO_BTF_MODULES=",)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The compiler that a kernel's modules are built with.

    Attributes:
        compiler: its program, e.g. ``gcc-12``.
        version: what it and the linker call themselves.
    """

    compiler: str
    version: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of kbuild left.

    Attributes:
        exit_status: of make.
        files: those that were asked for, as a rule the ``.ko`` and ``.mod.c``: relative path to content.
        diagnostics: what the tools said, by the build's own files and lines.
        output: the text itself.
    """

    exit_status: int
    files: Mapping[str, bytes]
    diagnostics: tuple[Diagnostic, ...]
    output: str


def toolchain(kernel: KernelBuild) -> Toolchain:
    """Return the compiler that a kernel's headers ask for (their ``.kernelvariables``), and its version.

    Raises:
        HostSetupError: the headers, the compiler, make or the linker are not there.
    """
    headers = kernel.headers_here
    if not (headers / "Makefile").is_file():
        raise HostSetupError(f"build for {kernel.release}: its headers are not there; ./lab setup fetches them")
    try:
        asked = re.search(r"\bgcc-\d+\b", (headers / ".kernelvariables").read_text())
    except OSError:
        asked = None
    arch = architecture(kernel.arch)
    arch.require_compiler()
    plain = asked[0] if asked else "gcc"
    compiler, linker = f"{arch.prefix}{plain}", f"{arch.prefix}ld"
    suffix = f"-{arch.triplet.replace('_', '-')}" if arch.prefix else ""
    packages = {compiler: f"{plain}{suffix}", "make": "make", linker: f"binutils{suffix}"}
    missing = [package for program, package in packages.items() if not Path("/usr/bin", program).exists()]
    if missing:
        raise HostSetupError(
            f"build for {kernel.release}: {' and '.join(missing)} not installed; apt-get install {' '.join(missing)}"
        )
    return Toolchain(compiler, compiler_version(compiler, linker))


def compiler_version(compiler: str, linker: str = "ld") -> str:
    """Return what a compiler in /usr/bin and a linker call themselves (the first lines of ``--version``)."""
    programs = [Path("/usr/bin", name).resolve() for name in (compiler, linker)]
    return "; ".join(_version(path, path.stat().st_mtime_ns) for path in programs)


@lru_cache(maxsize=16)
def _version(program: Path, changed: int) -> str:
    """The first line of ``--version``; asked again when the program's file has changed."""
    return process.run([program, "--version"], timeout=20, env={"LC_ALL": "C"}).text.partition("\n")[0]


def kbuild(
    source: ModuleSource,
    kernel: KernelBuild,
    *,
    timeout: float,
    watch: Callable[[bytes], object] | None = None,
    variables: tuple[str, ...] = (),
    results: tuple[str, ...] = ("*.ko", "*.mod.c"),
) -> Made:
    """Run ``make M=… modules`` and return what came of it; whether that is good is the caller's to judge.

    Args:
        source: what is built.
        kernel: whose headers it is built with.
        timeout: seconds it may take.
        watch: called with each piece of output as it comes, for progress.
        variables: further ones for make, such as ``W=1``.
        results: patterns of the files to bring back.

    Raises:
        SandboxError: the sandbox could not be entered, or the build went over a limit.
    """
    # make gathers each target's output in a file in /tmp, and dies where there is none.
    several = sum(name.endswith((".c", ".S")) for name in source.files) > 1 and not choose().in_place
    options = ("--no-print-directory", *(("-j2", "--output-sync=target") if several else ()))
    variables = (*architecture(kernel.arch).variables, *VARIABLES, *variables)
    job = Job(
        title=f"build {source.name}",
        argv=("make", *options, "-C", str(kernel.headers), *_makefile(kernel), f"M={WORK}", *variables, "modules"),
        files=source.files,
        results=results,
        texts=("*.cmd",),
        binds=kernel.header_binds,
        env=ENVIRONMENT,
        limits=Limits(wall=timeout),
    )
    outcome = choose().run(job, watch)
    return Made(outcome.exit_status, outcome.files, parse(outcome.output, source), outcome.output)


def _makefile(kernel: KernelBuild) -> tuple[str, ...]:
    """The Makefile that the headers' own one includes, where that is all it does.

    It names it by the path at which the package is installed, which is there only where one can be mounted.
    """
    if not choose().in_place:
        return ()
    text = (kernel.headers_here / "Makefile").read_text()
    found = re.fullmatch(r"include (/usr/src/\S+)\n*", text)
    return ("-f", found[1]) if found else ()
