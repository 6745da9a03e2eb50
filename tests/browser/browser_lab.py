# SPDX-License-Identifier: MIT
"""JupyterLab as a user drives it: notebooks are opened, menus chosen, cells run, outputs read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["JupyterLab"]

_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


class JupyterLab:
    """One page with JupyterLab.

    Attributes:
        page: Playwright's page.
        root: the server's folder.
    """

    def __init__(self, page: Page, url: str, root: Path) -> None:
        self.page, self.root = page, root
        parts = urlsplit(url)
        self._base, self._query = f"{parts.scheme}://{parts.netloc}", parts.query

    def open(self, path: str = "notebooks/00_tour.ipynb") -> None:
        """Open a notebook of the server's folder and wait until its Jupyter kernel is there."""
        self.page.goto(f"{self._base}/lab/tree/{path}?reset&{self._query}")
        self.wait_for_notebook()

    def wait_for_notebook(self) -> None:
        """Wait until JupyterLab, the notebook and its Jupyter kernel are there."""
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget?.sessionContext")
        self.page.wait_for_function(
            "() => { const at = window.jupyterapp.shell.currentWidget.sessionContext;"
            " return at.isReady && at.session?.kernel?.connectionStatus === 'connected'; }"
        )

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook with these code cells; return its path for `open`."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.root / name)
        return name

    def command(self, name: str, **arguments: object) -> None:
        """Begin a command of JupyterLab, such as ``notebook:run-all-cells``."""
        self.page.evaluate("([name, args]) => { window.jupyterapp.commands.execute(name, args); }", [name, arguments])

    def menu(self, *words: str) -> None:
        """Choose an entry of a menu by the names of the menu and the entry."""
        self.page.get_by_role("menuitem", name=words[0], exact=True).first.click()
        for word in words[1:]:
            self.page.locator(".lm-Menu-item", has_text=re.compile(rf"^{re.escape(word)}")).first.click()

    def run_all(self, timeout: float = 60) -> None:
        """Run all cells from the menu and wait for the last one, so many seconds at most."""
        self.menu("Run", "Run All Cells")
        self.wait_until_run(timeout)

    def wait_until_run(self, timeout: float = 60) -> None:
        """Wait until every code cell that is not empty has run."""
        self.page.wait_for_function(
            "() => { const cells = window.jupyterapp.shell.currentWidget.content.model.cells;"
            " return Array.from(cells).every(c => c.type !== 'code' || !c.sharedModel.getSource().trim()"
            " || (c.executionCount && c.executionState === 'idle')); }",
            timeout=timeout * 1000,
        )

    def run_cell(self, number: int) -> None:
        """Begin to run one cell, whichever is selected."""
        self.page.evaluate(f"() => {{ window.jupyterapp.shell.currentWidget.content.activeCellIndex = {number}; }}")
        self.command("notebook:run-cell")

    def cell(self, number: int) -> Locator:
        """Return a cell by its number, from 0."""
        return self.page.locator(f".jp-Cell[data-windowed-list-index='{number}']")

    def errors(self) -> list[str]:
        """Return what the outputs of the notebook hold of errors."""
        found: list[str] = self.page.evaluate(
            "() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells).flatMap(c =>"
            " (c.sharedModel.outputs || []).filter(o => o.output_type === 'error').map(o => o.evalue || o.ename))"
        )
        return found

    def theme(self, name: str) -> None:
        """Change to the theme ``light`` or ``dark``."""
        self.command("apputils:change-theme", theme=_THEMES[name])
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=str(name == "light").lower()
        )
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")  # it covers the page meanwhile

    def reload(self) -> None:
        """Load the page again, as a reader would."""
        self.page.goto(self.page.url.partition("?")[0])
        self.wait_for_notebook()

    def close(self) -> None:
        """End all Jupyter kernels of the server, and with them their machines."""
        self.page.evaluate("async () => { await window.jupyterapp?.serviceManager.sessions.shutdownAll(); }")
