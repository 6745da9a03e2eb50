# SPDX-License-Identifier: MIT
"""Completion: options of the magics, modules and their parameters, and in C what the kernel's headers declare."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from kmodlab.course.exercise import find_exercises
from kmodlab.errors import KmodlabError
from kmodlab.host import kernels
from kmodlab.jupyter import verbs
from kmodlab.jupyter.inspection import CELL, included
from kmodlab.jupyter.lab import Lab, lab_modules
from kmodlab.machine.machine import State
from kmodlab.machine.provision import module_paths, tree_file
from kmodlab.records.elf import ModuleFile
from kmodlab.records.members import members_at
from kmodlab.records.modinfo import ModInfo

__all__ = ["complete", "complete_c", "register", "unregister"]

_LINE = re.compile(rf"(?:^|=)\s*%%?({'|'.join(verbs.ALL)})(\s.*)$")
_PARAMETER = re.compile(
    r"\bmodule_param(?:_named|_string|_array|_array_named|_cb)?(?:_unsafe)?\s*\(\s*(\w+)\s*,\s*&?(\w+)"
)
_VALUES = {"bool": ("Y", "N"), "invbool": ("Y", "N"), "bint": ("Y", "N")}
_VARIABLE = r"^\s*static\s+[\w\s*]*?\b{name}\s*(?:\[\w*\]\s*)?=\s*([^;{{}}\n]+);"
_HEADER = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([\w./-]*)\Z", re.MULTILINE)
_NAME = re.compile(r"(?<![\w\"])[A-Za-z_]\w+\Z")
_KINDS = {"prototype": "function", "enumerator": "constant"}
_MOST = 200


def complete(lab: Lab, text: str, cell: str = "") -> tuple[str, list[str]] | None:
    """Return the word before the cursor and what can stand in its place, or None if the line is none of ours.

    Nothing is built, fetched or started for it.

    Args:
        lab: the session's.
        text: the line up to the cursor.
        cell: what stands below it, where that is the C of the module that it names.
    """
    found = _LINE.search(text)
    if found is None:
        return None
    verb, rest = found[1], found[2]
    *before, word = re.split(r"\s+", rest.lstrip()) if rest.strip() else [""]
    words = [one for one in before if one and not one.startswith("-")]
    options = verbs.ALL[verb]
    if before and before[-1] in options.choices and options.choices[before[-1]]:
        offered: Iterable[str] = options.choices[before[-1]]
    elif before and before[-1] in {"-k", "--kernel"}:
        offered = (kernel.release for kernel in kernels.find_kernels())
    elif word.startswith("-"):
        offered = options.flags
    else:
        offered = _words(lab, verb, words, word, cell if verb == "kmod" else "")
    return word, sorted(one for one in set(offered) if one.startswith(word))[:_MOST]


def complete_c(lab: Lab, cell: str, position: int) -> tuple[str, dict[str, str]] | None:
    """Return what stands before the cursor in the C of a ``%%kmod`` cell, and what can stand there and what that is.

    After ``#include <`` these are headers, after ``file->`` members, elsewhere the names that the included headers
    declare. None outside of such C, or where the kernel's headers have no index yet.

    Args:
        lab: the session's.
        cell: its whole text.
        position: of the cursor, in characters.
    """
    magic = CELL.match(cell)
    reference = lab.reference() if magic and position >= magic.end() else None
    if reference is None:
        return None
    before = cell[:position]
    if header := _HEADER.search(before):
        return header[1], dict.fromkeys(reference.headers(header[1])[:_MOST], "header")

    def define(tag: str) -> str:
        found = reference.find(tag, included=included(cell))
        return next((one.code for one in found if one.kind == "struct"), "")

    if member := members_at(cell, position, define):
        return member[0], dict.fromkeys(list(member[1])[:_MOST], "member")
    word = _NAME.search(before)
    found = reference.names(word[0], included=included(cell), most=_MOST) if word else {}
    return (word[0] if word else ""), {name: _KINDS.get(kind, kind) for name, kind in found.items()}


def _words(lab: Lab, verb: str, words: list[str], word: str, cell: str) -> Iterable[str]:
    """What can stand at a place that is no option's."""
    if verb == "vm":
        return verbs.VM_ACTIONS if not words else (kernel.release for kernel in kernels.find_kernels())
    if verb == "hint":
        return [one.id for one in find_exercises()] if not words else ()
    if verb in {"rmmod", "lsmod"}:
        return _loaded(lab)
    if verb in {"insmod", "modprobe", "modinfo"} and not words:
        near = () if verb == "modprobe" else lab.names()
        return [*near, *(() if verb == "insmod" else _tree(lab))]
    if verb in {"insmod", "modprobe", "kmod"} and words:
        return _assignments(lab, words[0], word, cell, tree=verb == "modprobe")
    if verb == "ksource" and word:
        reference = lab.reference()
        return reference.names(word, most=_MOST) if reference else ()
    return ()


def _loaded(lab: Lab) -> Iterable[str]:
    vm = lab.current
    return [row.name for row in vm.lsmod()] if vm and vm.state is State.RUNNING else ()


def _tree(lab: Lab) -> Iterable[str]:
    """The names of the distribution's modules, if its tree is there already."""
    return module_paths(lab.ready_kernel().modules)


def _assignments(lab: Lab, module: str, word: str, cell: str, *, tree: bool) -> Iterable[str]:
    """The parameters of a module, or behind an equals sign the values that are worth offering."""
    values = _of_file(tree_file(lab.ready_kernel(), module)) if tree else _of_sources(lab, module, cell)
    name, given, _ = word.partition("=")
    return [f"{name}={value}" for value in values.get(name, ())] if given else [f"{one}=" for one in values]


def _of_file(file: ModuleFile) -> dict[str, tuple[str, ...]]:
    return {one.name: _VALUES.get(one.type, ()) for one in ModInfo.from_file(file).parameters}


def _of_sources(lab: Lab, module: str, cell: str) -> dict[str, tuple[str, ...]]:
    """Each parameter of a module with its values, of which the source tells the one that it has by itself."""
    known = lab.modules.get(module.replace("-", "_"))
    text = cell or "\n".join(_texts(lab, module))
    values = _of_file(known.file) if known and not cell else {}
    for name, kind in _PARAMETER.findall(text):
        default = re.search(_VARIABLE.format(name=name), text, re.MULTILINE)
        own = [default[1].strip().strip('"')] if default and kind != "bool" else []
        values[name] = (*_VALUES.get(kind, ()), *own)
    return values


def _texts(lab: Lab, module: str) -> Iterable[str]:
    """The C files of a module of the notebook, of one that comes with kmodlab, or at a path."""
    known = lab.modules.get(module.replace("-", "_"))
    if known:
        return [data.decode(errors="replace") for name, data in known.source.files.items() if name.endswith(".c")]
    place = lab_modules().get(module, Path(module).expanduser())
    files = sorted(place.glob("*.c")) if place.is_dir() else [place] if place.suffix == ".c" else []
    return [file.read_text(errors="replace") for file in files]


def _at_cursor(lab: Lab, context: CompletionContext) -> tuple[str, dict[str, str]] | None:
    lines = context.full_text.split("\n")
    position = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
    found = complete_c(lab, context.full_text, position)
    if found is not None:
        return found
    line = complete(lab, context.text_until_cursor, "\n".join(lines[context.cursor_line + 1 :]))
    return line and (line[0], dict.fromkeys(line[1], "magic"))


def register(shell: Any, lab: Lab) -> None:
    """Add the completion to an IPython session."""

    @context_matcher(identifier=__name__)  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = None
        # A Tab must never fail: without an answer of the machine there is just nothing to offer.
        with contextlib.suppress(KmodlabError, OSError):
            found = _at_cursor(lab, context)
        if found is None:
            return {"completions": []}
        word, offered = found
        shown = [SimpleCompletion(text=one, type=kind) for one, kind in offered.items()]
        # What IPython itself would offer in C is Python.
        suppress = bool(shown) or CELL.match(context.full_text) is not None
        return {"completions": shown, "matched_fragment": word, "suppress": suppress, "ordered": True}

    shell.Completer.custom_matchers.append(matcher)


def unregister(shell: Any) -> None:
    """Take the completion away again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", "") != __name__]
