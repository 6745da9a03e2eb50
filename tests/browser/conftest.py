# SPDX-License-Identifier: MIT
"""A real JupyterLab in a real browser: the server that ``start`` makes, Debian's chromium, one page a test.

Both live as long as a test file. Playwright keeps an event loop in this thread while it runs, which tests of other
folders must not find; and a file stays with one worker, so nothing is started twice for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.resources import resource
from tests.browser.browser_lab import JupyterLab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REQUIRED = "browser" in os.environ.get("KMODLAB_REQUIRE", "").split(",")
TOP = Path(kmodlab.__file__).parent.parent
WIDTH, HEIGHT = 1400, 1000


def lacking(what: str) -> None:
    """Skip what needs a browser, or fail where one is required."""
    (pytest.fail if REQUIRED else pytest.skip)(f"no browser here: {what}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; nothing is downloaded."""
    program = shutil.which("chromium")
    if program is None:
        lacking("apt-get install --no-install-recommends chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        lacking("Python's playwright is missing")
    with sync_playwright() as playwright:
        # Its own sandbox does not start for root or in a container; it sees nobody's pages but ours.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the lab, whose notebooks a test may change; the server's root folder."""
    top = tmp_path_factory.mktemp("lab")
    shutil.copytree(TOP / "kmodlab", top / "kmodlab", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("notebooks", "lab_modules", "vm"):
        shutil.copytree(resource(name), top / name)
    (top / "lab").touch()  # by which a checkout is known
    return top


@pytest.fixture(scope="module")
def server(
    browser: Browser, frozen: KernelBuild, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a running lab, with its token: ``lab start`` in folders of its own. Needs a frozen machine."""
    own = tmp_path_factory.mktemp("jupyter")
    (own / "config").mkdir()
    # Commands of JupyterLab can then be asked for by their names.
    (own / "config" / "jupyter_lab_config.json").write_text('{"LabApp": {"expose_app_in_browser": true}}\n')
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    folders |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython", "KMODLAB_DATA": "kmodlab"}
    env = {**os.environ, "PYTHONPATH": str(checkout), **{name: str(own / folder) for name, folder in folders.items()}}
    argv = [sys.executable, "-P", "-m", "kmodlab", "start", "--no-browser", "--port", str(_free_port())]
    with (own / "log").open("w") as log:
        with subprocess.Popen(argv, cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=log, text=True) as process:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert url.startswith("http"), (own / "log").read_text()
            yield url
            process.terminate()
        assert process.returncode in (0, -15), (own / "log").read_text()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


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
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.set_default_timeout(30_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


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
