# SPDX-License-Identifier: MIT
"""kmodlab in a notebook: ``%load_ext kmodlab`` adds the magics, their completion, and the look of their results."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmodlab.jupyter.lab import Lab

__all__ = ["load", "load_ipython_extension", "unload_ipython_extension"]


def load(shell: Any) -> Lab:
    """Add the magics to an IPython session, once, and return the session's `Lab`.

    Args:
        shell: the session's ``InteractiveShell``.
    """
    from kmodlab.jupyter import completion, display, errors, inspection, magics
    from kmodlab.jupyter.lab import Lab
    from kmodlab.machine.pool import expect

    found = magics.lab_of(shell)
    if found is not None:
        return found
    lab = Lab(shell)
    display.register(shell)
    errors.register(shell, lab)
    magics.register(shell, lab)
    completion.register(shell, lab)
    inspection.register(shell, lab)
    expect()
    return lab


def load_ipython_extension(shell: Any) -> None:
    """Do what `load` does: the name that ``%load_ext kmodlab.jupyter`` looks for."""
    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """End the session's machine and take the completion and the errors' look away: ``%unload_ext kmodlab``."""
    from kmodlab.jupyter import completion, errors, inspection, magics

    lab = magics.lab_of(shell)
    if lab is not None:
        if widgets := sys.modules.get("kmodlab.jupyter.panel.widget"):
            widgets.close_panels(lab)
        lab.close()
        completion.unregister(shell)
        inspection.unregister(shell)
        errors.unregister(shell)
        magics.unregister(shell)
