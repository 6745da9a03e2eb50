# SPDX-License-Identifier: MIT
"""Completion of the magics: options, names of modules, names of their parameters."""

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
from kmodlab.jupyter.lab import Lab, lab_modules
from kmodlab.machine.machine import State
from kmodlab.machine.provision import module_paths, tree_file
from kmodlab.records.elf import ModuleFile
from kmodlab.records.modinfo import ModInfo

__all__ = ["complete", "register", "unregister"]

_LINE = re.compile(rf"(?:^|=)\s*%%?({'|'.join(verbs.ALL)})(\s.*)$")
_PARAMETER = re.compile(r"\bmodule_param(?:_named|_string|_array|_array_named|_cb)?(?:_unsafe)?\s*\(\s*(\w+)")
_MOST = 200


def complete(lab: Lab, text: str) -> tuple[str, list[str]] | None:
    """Return the word before the cursor and what can stand in its place, or None if the line is none of ours.

    Nothing is built, fetched or started for it.

    Args:
        lab: the session's.
        text: the line up to the cursor.
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
        offered = _words(lab, verb, words)
    return word, sorted(one for one in set(offered) if one.startswith(word))[:_MOST]


def _words(lab: Lab, verb: str, words: list[str]) -> Iterable[str]:
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
        return [f"{name}=" for name in _parameters(lab, words[0], tree=verb == "modprobe")]
    return ()


def _loaded(lab: Lab) -> Iterable[str]:
    vm = lab.current
    return [row.name for row in vm.lsmod()] if vm and vm.state is State.RUNNING else ()


def _tree(lab: Lab) -> Iterable[str]:
    """The names of the distribution's modules, if its tree is there already."""
    kernel = _ready_kernel(lab)
    return module_paths(kernel.modules) if kernel else ()


def _ready_kernel(lab: Lab) -> Any:
    vm = lab.current
    if vm and vm.state in {State.RUNNING, State.PAUSED, State.LOST}:
        return vm.kernel
    return kernels.default_kernel()


def _parameters(lab: Lab, name: str, *, tree: bool) -> Iterable[str]:
    if tree:
        return _of_file(tree_file(_ready_kernel(lab), name))
    known = lab.modules.get(name.replace("-", "_"))
    if known:
        return _of_file(known.file)
    place = lab_modules().get(name, Path(name).expanduser())
    files = sorted(place.glob("*.c")) if place.is_dir() else [place] if place.suffix == ".c" else []
    return [found for file in files for found in _PARAMETER.findall(file.read_text(errors="replace"))]


def _of_file(file: ModuleFile) -> Iterable[str]:
    return [parameter.name for parameter in ModInfo.from_file(file).parameters]


def register(shell: Any, lab: Lab) -> None:
    """Add the completion to an IPython session."""

    @context_matcher(identifier=__name__)  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = None
        # A Tab must never fail: without an answer of the machine there is just nothing to offer.
        with contextlib.suppress(KmodlabError, OSError):
            found = complete(lab, context.text_until_cursor)
        if found is None:
            return {"completions": []}
        word, offered = found
        shown = [SimpleCompletion(text=one, type="magic") for one in offered]
        return {"completions": shown, "matched_fragment": word, "suppress": bool(shown), "ordered": True}

    shell.Completer.custom_matchers.append(matcher)


def unregister(shell: Any) -> None:
    """Take the completion away again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", "") != __name__]
