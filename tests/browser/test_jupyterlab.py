# SPDX-License-Identifier: MIT
"""JupyterLab as ``start`` brings it up: it opens, and the tour runs from its menu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.browser_lab import JupyterLab

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.machine]


def test_it_opens_on_the_tour(page: Page, server: str, shot: Callable[..., Path]) -> None:
    page.goto(server)
    page.get_by_role("heading", name="kmodlab").or_(page.locator(".jp-Notebook h1")).first.wait_for()
    assert page.locator(".jp-Dialog").count() == 0, "nobody is asked for anything"
    shot()


@pytest.mark.slow
@pytest.mark.build
def test_the_tour_runs_from_the_menu(jupyter: JupyterLab, shot: Callable[..., Path]) -> None:
    jupyter.open()
    jupyter.run_all(timeout=180)
    assert jupyter.errors() == []
    shot()
