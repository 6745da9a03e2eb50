# SPDX-License-Identifier: MIT
"""The documentation's site as its readers have it: made from real machines, light and dark, on desk and phone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from kmodlab.course.lessons import find_lessons
from kmodlab.resources import checkout
from tests.browser.axe import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

pytestmark = [pytest.mark.checkout, pytest.mark.slow, pytest.mark.browser, pytest.mark.machine, pytest.mark.notebook]

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
LESSONS = [f"lessons/{lesson.notebook.stem}.html" for lesson in find_lessons()]
PAGES = [
    *("index.html", "start.html", "course.html", "gallery.html", "modules.html", "modules/scribble.html"),
    *("instructors.html", "hub.html", "safety.html", "maintainers.html", "cli.html", "interfaces.html", "support.html"),
    *("contributing.html", "guest.html", "changelog.html", "lessons/glossary.html", "api/index.html"),
    *("api/machine.html", "api/verdict.html", "api/records.html", "api/plot.html", "api/notebooks.html"),
    *("api/pytest.html", "containers.html"),
    *LESSONS,
]
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's folder: that of KMODLAB_SITE, where CI has made it already, or made now."""
    given = os.environ.get("KMODLAB_SITE")
    if given:
        return Path(given).absolute()
    top = checkout()
    assert top is not None
    out = tmp_path_factory.mktemp("docs") / "site"
    argv = [sys.executable, top / "docs/build.py", "--out", out]
    environment = {**os.environ, "PYTHONPATH": str(top)}
    finished = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-4000:]
    assert finished.stdout.splitlines()[-1] == str(out / "index.html")
    return out


@pytest.mark.parametrize(("scheme", "size"), [("light", DESK), ("dark", PHONE)], ids=["desk-light", "phone-dark"])
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_it(
    page: Page, site: Path, name: str, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    page.goto((site / name).as_uri(), wait_until="load")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]
    assert violations(page, "html") == []


def test_the_lessons_show_what_came_of_their_cells(page: Page, site: Path) -> None:
    for name in LESSONS:
        page.goto((site / name).as_uri())
        assert page.locator(".cell_output").count() > 10, name
        assert page.locator(".cell_output img").count() > 0, name
        assert page.locator(".cell_input .kt").count() > 0, f"{name}: no C in its colours"
    page.goto((site / "lessons/00_tour.html").as_uri())
    assert "NULL pointer dereference" in page.inner_text("article")


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The site's address at a server on this computer: a browser lets no page from a file read the others' words."""
    handler = partial(Quiet, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that prints nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_reader_finds_a_word_and_the_way_on(page: Page, served: str, shot: Callable[[str], Path]) -> None:
    page.goto(f"{served}/search.html?q=vermagic")
    page.locator("#search-results").get_by_role("link", name="Glossary").first.wait_for()
    page.get_by_text("the kernel it was built for").first.wait_for()
    page.goto(f"{served}/index.html")
    page.locator("article").get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("link", name="Next").first.click()
    assert page.url.endswith("containers.html")
    shot("next")


def test_light_and_dark(page: Page, site: Path, shot: Callable[[str], Path]) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto((site / "gallery.html").as_uri())
        seen[scheme] = page.evaluate(BACKGROUND)
        shown = page.locator("img.only-dark:visible").count(), page.locator("img.only-light:visible").count()
        assert bool(shown[0]) == (scheme == "dark")
        assert bool(shown[1]) == (scheme == "light")
        shot(scheme)
        page.goto((site / LESSONS[0]).as_uri())
        drawn = page.locator(".cell_output img").first.evaluate("image => getComputedStyle(image).filter")
        assert (drawn == "none") == (scheme == "light")
    assert seen["light"] != seen["dark"]
