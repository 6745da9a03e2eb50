# SPDX-License-Identifier: MIT
"""``start --course``: a real Jupyter server whose first page is the course's index."""

from __future__ import annotations

import socket
import subprocess
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from kmodlab.build.kernel import KernelBuild

pytestmark = [pytest.mark.machine, pytest.mark.slow]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_index_is_the_first_page_and_leads_into_jupyterlab(frozen: KernelBuild, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "kmodlab", "start", "--course", "--no-browser", "--port", str(free_port())]
    with (tmp_path / "log").open("w") as log:
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True) as process:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert "/kmodlab/course?token=" in url, (tmp_path / "log").read_text()
            browser = build_opener(HTTPCookieProcessor(CookieJar()))
            with browser.open(url, timeout=60) as answer:
                page = answer.read().decode()
            assert "<h1>The course</h1>" in page
            assert 'href="/lab/tree/notebooks/01_first_module.ipynb"' in page
            with browser.open(
                f"{url.partition('/kmodlab')[0]}/api/contents/notebooks/glossary.md", timeout=60
            ) as there:
                assert there.status == 200
            with urlopen(url.partition("?")[0], timeout=60) as stranger:
                assert "The course" not in stranger.read().decode()
            process.terminate()
        assert process.returncode in (0, -15)
