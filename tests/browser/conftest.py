# SPDX-License-Identifier: MIT
"""A real JupyterLab in a real browser: the server that ``start`` makes, Debian's chromium, one page a test.

Where a host has no browser these tests are skipped, and fail where KMODLAB_REQUIRE names it.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from tests.browser.browser_lab import JupyterLab
from tests.browser.serve import chromium, copy_lab, new_page, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REQUIRED = "browser" in os.environ.get("KMODLAB_REQUIRE", "").split(",")
TOP = Path(kmodlab.__file__).parent.parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium, as long as a file of tests: while it runs, this thread has an event loop of Playwright's."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(chromium())
        except (FileNotFoundError, ImportError) as error:
            (pytest.fail if REQUIRED else pytest.skip)(f"no browser here: {error}")
        yield found


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the lab, whose notebooks a test may change; the server's root folder."""
    top = tmp_path_factory.mktemp("lab")
    copy_lab(top)
    return top


@pytest.fixture(scope="session")
def running(frozen: KernelBuild, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running lab, with its token. Needs a frozen machine."""
    with serve(checkout, tmp_path_factory.mktemp("jupyter")) as url:
        yield url


@pytest.fixture
def server(browser: Browser, running: str) -> str:
    """The same; without a browser nothing is started."""
    return running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep a picture of what a test saw when it failed."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and page:
        with contextlib.suppress(Exception):
            page.screenshot(path=_pictures() / f"failed-{_stem(item.name)}.png")
    return report


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own; the test fails if a script on it does."""
    with new_page(browser) as page:
        yield page


@pytest.fixture
def jupyter(page: Page, server: str, checkout: Path) -> Iterator[JupyterLab]:
    """JupyterLab on that page; its Jupyter kernels end with the test."""
    lab = JupyterLab(page, server, checkout)
    yield lab
    lab.close()


@pytest.fixture
def shot(page: Page, request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Take a picture of the page, or of an element of it, and keep it: ``out/browser`` of the checkout."""
    stem = _stem(request.node.name)

    def take(name: str = "", selector: str = "") -> Path:
        path = _pictures() / f"{stem}{name and '-'}{name}.png"
        (page.locator(selector) if selector else page).screenshot(path=path)
        return path

    return take


def _stem(name: str) -> str:
    return re.sub(r"\W+", "-", name.removeprefix("test_")).strip("-")


def _pictures() -> Path:
    """The folder of the pictures: ``out/browser`` of the checkout, or a temporary one where nothing can be written."""
    folder = TOP / "out" / "browser"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / "kmodlab-browser"
        folder.mkdir(exist_ok=True)
    return folder
