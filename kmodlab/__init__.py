# SPDX-License-Identifier: MIT
"""Write a kernel module, see what it does inside a real kernel, break that kernel as often as you like.

The public names are loaded when they are first used, so that ``import kmodlab`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kmodlab import errors

if TYPE_CHECKING:
    from kmodlab import plot as plot
    from kmodlab.build import make as build
    from kmodlab.build.source import ModuleSource as ModuleSource
    from kmodlab.config import settings as settings
    from kmodlab.jupyter.panel import panel as panel
    from kmodlab.machine.machine import Machine as Machine
    from kmodlab.verdict.trial import try_module as try_module

__all__ = [
    "Machine",
    "ModuleSource",
    "__version__",
    "build",
    "errors",
    "load_ipython_extension",
    "panel",
    "plot",
    "settings",
    "try_module",
]

__version__ = "0.1.0"

_HOMES = {
    "Machine": ("kmodlab.machine.machine", "Machine"),
    "ModuleSource": ("kmodlab.build.source", "ModuleSource"),
    "build": ("kmodlab.build", None),
    "panel": ("kmodlab.jupyter.panel", "panel"),
    "plot": ("kmodlab.plot", None),
    "settings": ("kmodlab.config", "settings"),
    "try_module": ("kmodlab.verdict.trial", "try_module"),
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'kmodlab' has no attribute {name!r}")
    module = importlib.import_module(home[0])
    value = getattr(module, home[1]) if home[1] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """Add kmodlab's magics to a notebook: what ``%load_ext kmodlab`` calls."""
    importlib.import_module("kmodlab.jupyter").load(shell)
