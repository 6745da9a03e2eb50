# SPDX-License-Identifier: MIT
"""The panel in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.browser_lab import JupyterLab

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.machine, pytest.mark.build]

START = "%load_ext kmodlab\nimport kmodlab\nkmodlab.panel()"


def test_look(jupyter: JupyterLab, page: Page, shot: Callable[..., Path]) -> None:
    jupyter.open(jupyter.write("panel.ipynb", START))
    jupyter.run_all()
    panel = page.get_by_role("region", name="Panel of the machine")
    panel.get_by_role("button", name="Start").click()
    panel.get_by_text("Running").wait_for()
    panel.get_by_label("A module that comes with the lab").select_option("scribble")
    panel.get_by_role("button", name="Build").click()
    panel.get_by_role("button", name="Load scribble").click()
    panel.get_by_role("button", name="Unload scribble").wait_for()
    panel.get_by_label("Command in the machine").fill("ls /dev | head; sleep 1; cat /nosuch")
    panel.get_by_label("Command in the machine").press("Enter")
    panel.get_by_text("exit status 1").wait_for()
    shot("", ".kmodlab-panel")
    panel.get_by_role("tab", name="Terminal").click()
    panel.get_by_role("button", name="Open a terminal").click()
    panel.get_by_role("button", name="Close the terminal").wait_for()
    page.keyboard.type("ls --color /\n")
    page.wait_for_timeout(1500)
    jupyter.theme("dark")
    shot("dark", ".kmodlab-panel")
