# SPDX-License-Identifier: MIT
"""A JupyterLab as ``lab start`` brings it up, and Debian's chromium to look at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import kmodlab
from kmodlab.resources import resource

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["HEIGHT", "LACKING", "WIDTH", "chromium", "copy_lab", "new_page", "serve"]

LACKING = "install chromium: apt-get install --no-install-recommends chromium"

WIDTH, HEIGHT = 1400, 1000
_OWN = "Canceled future for"  # JupyterLab's own word for what it had asked of a Jupyter kernel that has ended

_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "run",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
    "KMODLAB_DATA": "kmodlab",
}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Give Debian's chromium; nothing is downloaded.

    Raises:
        FileNotFoundError: it is not installed.
        ImportError: Python's playwright is not.
    """
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError(LACKING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its own sandbox does not start for root, and a container's /dev/shm is small; it sees nobody's pages but ours.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@contextlib.contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """Give a page of its own, and hold at the end that no script on it failed and that it asked no other computer."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.set_default_timeout(30_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.extend([] if _OWN in str(error) else [str(error)]))
    page.on("request", lambda request: errors.extend(_elsewhere(request.url)))
    yield page
    context.close()
    assert errors == [], errors


def _elsewhere(url: str) -> list[str]:
    parts = urlsplit(url)
    here = parts.scheme in {"data", "blob", "file", "about"} or parts.hostname in {"127.0.0.1", "localhost"}
    return [] if here else [f"asked for {url}"]


def copy_lab(top: Path) -> None:
    """Copy the lab into a folder, so that its notebooks may be changed."""
    package = Path(kmodlab.__file__).parent
    shutil.copytree(package, top / "kmodlab", ignore=shutil.ignore_patterns("__pycache__", "resources"))
    for name in ("notebooks", "lab_modules", "vm"):
        shutil.copytree(resource(name), top / name)
    (top / "lab").touch()  # by which a checkout is known


@contextlib.contextmanager
def serve(top: Path, own: Path) -> Iterator[str]:
    """Give the address of a JupyterLab, with its token, while the block lasts.

    Args:
        top: what `copy_lab` filled: the server's folder.
        own: an empty folder for its settings and records.
    """
    (own / "config").mkdir()
    # Commands of JupyterLab can then be asked for by their names.
    (own / "config" / "jupyter_lab_config.json").write_text('{"LabApp": {"expose_app_in_browser": true}}\n')
    env = {**os.environ, "PYTHONPATH": str(top), **{name: str(own / folder) for name, folder in _FOLDERS.items()}}
    argv = [sys.executable, "-P", "-m", "kmodlab", "start", "--no-browser", "--port", str(_free_port())]
    with (own / "log").open("w") as log:
        with subprocess.Popen(argv, cwd=top, env=env, stdout=subprocess.PIPE, stderr=log, text=True) as process:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert url.startswith("http"), (own / "log").read_text()
            try:
                yield url
            finally:
                process.terminate()
        assert process.returncode in (0, -15), (own / "log").read_text()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
