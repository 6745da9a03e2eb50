# SPDX-License-Identifier: MIT
"""The panel as a widget: its page's code, what is said both ways, and how it looks where no code runs."""

from __future__ import annotations

from functools import cache as once
from pathlib import Path
from typing import Any

import anywidget

from kmodlab.jupyter.lab import Lab
from kmodlab.jupyter.panel.controller import Controller
from kmodlab.jupyter.panel.feed import Message
from kmodlab.jupyter.panel.still import still
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.machine.machine import Machine

__all__ = ["Panel", "close_panels", "panel_of"]

_PAGE = Path(__file__).with_name("page")
_PARTS = ("dom", "machine", "modules", "plot", "log", "commands", "terminal", "panel")
"""The page's scripts in their order; together they are one module of JavaScript."""
_TERMINAL = ("xterm.mjs", "addon-fit.mjs", "xterm.css")


class Panel(anywidget.AnyWidget):
    """The live panel of a machine; see `kmodlab.panel`."""

    _esm = "\n".join((_PAGE / f"{part}.js").read_text() for part in _PARTS)
    _css = "\n".join((_PAGE / f"{part}.css").read_text() for part in ("panel", "parts", "shells"))

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject
        self._controller = Controller(subject, self._tell, _library)
        self.on_msg(self._hear)
        # What a page sends comes in a thread that JupyterLab chose, not in that of the cells, which may be busy. Some
        # versions of ipykernel know better, and hand it to the thread in which the widget was made.
        self.comm._reply_subshell_for = lambda _, chosen: chosen

    def close(self) -> None:
        """End the panel: its thread, its terminal, its pages. The machine goes on."""
        self._controller.close()
        super().close()

    def _tell(self, message: Message, buffers: list[bytes]) -> None:
        if self.comm is not None:  # an action may end after the panel
            self.send(message, buffers)

    def _hear(self, _: object, message: dict[str, Any], __: object) -> None:
        self._controller.receive(message)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        view = still(self._subject)
        data = {**data, "text/html": view.html, "text/plain": view.text}
        return (data, *metadata) if metadata else data


@once
def _library() -> tuple[Message, list[bytes]]:
    """The terminal's code, which a page asks for when it first opens one."""
    return {"see": "library"}, [(_PAGE / "vendor" / name).read_bytes() for name in _TERMINAL]


_panels: dict[Lab, dict[int, Panel]] = {}


def panel_of(lab: Lab, only: Machine | None = None) -> Panel:
    """Return the panel of a notebook's machine or of one machine, made at first use."""
    made = _panels.setdefault(lab, {})
    key = id(only) if only else 0  # a panel holds its machine, so that no other gets the same id
    if key not in made or made[key].comm is None:
        made[key] = Panel(Subject(lab, only))
    return made[key]


def close_panels(lab: Lab) -> None:
    """End all panels of a notebook."""
    for made in _panels.pop(lab, {}).values():
        made.close()
