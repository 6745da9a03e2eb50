# SPDX-License-Identifier: MIT
"""The live panel: a machine's state, modules, log and terminal on one page, which goes on while cells run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmodlab.errors import UsageError

if TYPE_CHECKING:
    from kmodlab.jupyter.panel.widget import Panel
    from kmodlab.machine.machine import Machine

__all__ = ["panel"]


def panel(vm: Machine | None = None) -> Panel:
    """Return the live panel of a machine; as a cell's last line it is shown.

    Shown twice it is the same panel. It ends with its machine's Jupyter kernel, or by its ``close()``.

    Args:
        vm: the machine; without one, the notebook's, whichever that is at the time.

    Raises:
        UsageError: this is no notebook.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise UsageError("panel: it needs a notebook; in a terminal, ./lab shell opens a machine")
    from kmodlab.jupyter import load
    from kmodlab.jupyter.panel.widget import panel_of

    return panel_of(load(shell), vm)
