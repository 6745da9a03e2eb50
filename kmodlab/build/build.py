# SPDX-License-Identifier: MIT
"""From a module's source to its ``.ko``: from the cache, the quick way, or by kbuild."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import PurePosixPath

from kmodlab.build.artifact import How, ModuleArtifact
from kmodlab.build.cache import Entry, Store
from kmodlab.build.diagnostics import Diagnostic, as_seen, summary
from kmodlab.build.fast import fast
from kmodlab.build.kbuild import ENVIRONMENT, VARIABLES, Made, kbuild, toolchain
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.config import Settings
from kmodlab.config import settings as default_settings
from kmodlab.errors import BuildError, CompileError, ModpostError
from kmodlab.progress import step

__all__ = ["build"]

_FORMAT = 1
"""Raise it when what an entry of the cache holds, or how a module is built, changes."""


def build(
    source: ModuleSource,
    kernel: KernelBuild,
    *,
    settings: Settings | None = None,
    force: bool = False,
    watch: Callable[[bytes], object] | None = None,
) -> ModuleArtifact:
    """Return the module built from a source for a kernel.

    Args:
        source: its C files and Kbuild.
        kernel: whose headers it is built with.
        settings: where the cache lies and how long a build may take; this process's if None.
        force: build even if the same was built before.
        watch: called with each piece of the build's output, for progress.

    Raises:
        CompileError: the compiler refused the source, or it is one file without a ``module_init``.
        ModpostError: it compiled, but an undefined symbol, no licence … stood against it.
        SandboxError: the compile sandbox could not be entered, or stopped the build at a limit.
        BuildError: make itself failed, e.g. on the Kbuild.
        HostSetupError: the compiler or the kernel's headers are not there.
    """
    start = time.monotonic()
    chosen = settings or default_settings()
    key = _key(source, kernel)
    store = Store(chosen.cache / "modules")
    entry = None if force else store.get(key)
    how: How = "cache"
    if entry is None:
        with step(f"Building {source.name}"):
            how, made = _make(source, kernel, chosen, watch)
        modules = _accept(source, made)
        note = {"diagnostics": [diagnostic.to_dict() for diagnostic in made.diagnostics], "modules": list(modules)}
        entry = store.put(key, {f"{name}.ko": content for name, content in modules.items()}, note)
    return _artifact(source, kernel, entry, how, time.monotonic() - start)


def _make(
    source: ModuleSource, kernel: KernelBuild, settings: Settings, watch: Callable[[bytes], object] | None
) -> tuple[How, Made]:
    made = fast(source, kernel, settings.cache, timeout=settings.build_timeout, watch=watch)
    if made is not None:
        return "fast", made
    return "kbuild", kbuild(source, kernel, timeout=settings.build_timeout, watch=watch)


def _key(source: ModuleSource, kernel: KernelBuild) -> str:
    """Everything that the result depends on, as one hash."""
    facts = (
        _FORMAT,
        source.key,
        kernel.key,
        kernel.arch,
        toolchain(kernel).version,
        sorted(ENVIRONMENT.items()),
        VARIABLES,
    )
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


def _artifact(source: ModuleSource, kernel: KernelBuild, entry: Entry, how: How, seconds: float) -> ModuleArtifact:
    seen = as_seen((Diagnostic(**fields) for fields in entry.note["diagnostics"]), source)
    artifacts = [
        ModuleArtifact(
            name, entry.path(f"{name}.ko"), entry.files[f"{name}.ko"], seen, how, seconds, kernel.release, source
        )
        for name in entry.note["modules"]
    ]
    return dataclasses.replace(artifacts[0], others=tuple(artifacts[1:]))


def _accept(source: ModuleSource, made: Made) -> dict[str, bytes]:
    """The modules of a build by name, in the Kbuild's order.

    Raises:
        BuildError: there are none, or they are no use; the message is the first error, and a hint.
    """
    if made.exit_status:
        raise _failure(source, made)
    found = {
        PurePosixPath(path).stem.replace("-", "_"): content
        for path, content in made.files.items()
        if path.endswith(".ko")
    }
    if not found:
        raise BuildError(
            f"build {source.name}: make ended well but made no .ko; look whether obj-m in the Kbuild is empty",
            diagnostics=as_seen(made.diagnostics, source),
            output=made.output,
        )
    if not _does_something(source, made):
        raise _failure(source, dataclasses.replace(made, diagnostics=(*made.diagnostics, _no_init(source))))
    order = {name: place for place, name in enumerate(source.modules)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _does_something(source: ModuleSource, made: Made) -> bool:
    """Whether a one-file module has an init function (modpost writes it into ``.mod.c``) or exports a symbol.

    Of several files one may well be a library for the others; that is left to who wrote them.
    """
    if sum(name.endswith(".c") for name in source.files) != 1:
        return True
    generated = b"".join(content for path, content in made.files.items() if path.endswith(".mod.c"))
    exports = any(b"EXPORT_SYMBOL" in content for name, content in source.files.items() if name.endswith(".c"))
    return b".init = init_module" in generated or exports


def _no_init(source: ModuleSource) -> Diagnostic:
    """The error for a module that would load and do nothing, at the function that was probably meant."""
    file = next(name for name in source.files if name.endswith(".c"))
    text = source.files[file].decode(errors="replace")
    name, line, hint = source.name, None, ""
    if found := re.search(r"\bmain\s*\(", text):
        hint = "a kernel module has no main(): "
    elif found := re.search(r"^[^\n;#]*(?:\b__init\s+(\w+)|\b(\w*init\w*))\s*\([^;]*?\)\s*\{", text, re.MULTILINE):
        hint = f"write module_init({found[1] or found[2]}); below that function"
    if found:
        line = text.count("\n", 0, found.start()) + 1
    if not found or found.re.groups == 0:
        hint += f"write static int __init {name}_init(void) {{ return 0; }} and module_init({name}_init);"
    return Diagnostic(
        file=file,
        line=line,
        column=None,
        severity="error",
        message="no module_init(): the module would load and do nothing",
        source=source.line(file, line or 0),
        tool="kmodlab",
        hint=hint,
    )


def _failure(source: ModuleSource, made: Made) -> BuildError:
    errors = [diagnostic for diagnostic in made.diagnostics if diagnostic.severity == "error"]
    seen = as_seen(made.diagnostics, source)
    tool = errors[0].tool if errors else "make"
    kind = {"modpost": ModpostError, "make": BuildError}.get(tool, CompileError)
    message = summary(source.name, seen)
    if not errors:
        last = made.output.strip().rpartition("\n")[2]
        message = f"build {source.name}: make failed ({last or 'no word'}); look at the error's .output"
    return kind(message, diagnostics=seen, output=made.output)
