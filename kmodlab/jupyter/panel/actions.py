# SPDX-License-Identifier: MIT
"""What the panel's buttons do: the machine's own verbs, each of which comes back with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.errors import KmodlabError, UsageError
from kmodlab.jupyter.display import headline, view_of
from kmodlab.jupyter.panel.subject import Subject

__all__ = ["act"]


def act(subject: Subject, verb: str, given: dict[str, Any]) -> tuple[bool, str]:
    """Do what a page asks for; return whether it went well, and what to tell the reader.

    Args:
        subject: the machine and the modules.
        verb: ``fresh``, ``pause``, ``resume``, ``nmi``, ``load``, ``unload`` or ``build``.
        given: what the page says beside it.
    """
    try:
        return True, _VERBS[verb](subject, given)
    except KmodlabError as error:
        return False, f"{type(error).__name__}: {headline(error)}"


def _fresh(subject: Subject, _: dict[str, Any]) -> str:
    first = subject.current is None
    subject.fresh()
    return "The machine runs." if first else "This is a fresh machine, in which none of your modules is loaded."


def _pause(subject: Subject, _: dict[str, Any]) -> str:
    subject.machine().pause()
    return "The machine is paused: its clock stands still too."


def _resume(subject: Subject, _: dict[str, Any]) -> str:
    subject.machine().resume()
    return "The machine runs on."


def _nmi(subject: Subject, _: dict[str, Any]) -> str:
    subject.machine().nmi()
    return "NMI sent: the kernel panics, and its log shows where each processor was."


def _load(subject: Subject, given: dict[str, Any]) -> str:
    module = _module(subject, given)
    parameters = {str(name): str(value) for name, value in given.get("parameters", {}).items()}
    return view_of(subject.machine().insmod(module, **parameters)).text


def _unload(subject: Subject, given: dict[str, Any]) -> str:
    name = str(given.get("name"))
    subject.machine().rmmod(name)
    return f"{name} is unloaded."


def _build(subject: Subject, given: dict[str, Any]) -> str:
    found = subject.lab.find("build", str(given.get("name")), quiet=True)
    return view_of(found).text if isinstance(found, ModuleArtifact) else f"{found} needs no building."


def _module(subject: Subject, given: dict[str, Any]) -> ModuleArtifact:
    name = str(given.get("name"))
    module = subject.modules.get(name)
    if module is None:
        raise UsageError(f"load {name}: it was not built in this notebook; build it first")
    return module


_VERBS: dict[str, Callable[[Subject, dict[str, Any]], str]] = {
    "fresh": _fresh,
    "pause": _pause,
    "resume": _resume,
    "nmi": _nmi,
    "load": _load,
    "unload": _unload,
    "build": _build,
}
