# SPDX-License-Identifier: MIT
"""The gallery as a reader has it: light and dark, wide and narrow, with the keyboard, on paper, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.course.gallery import open_gallery
from tests.browser.axe import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.machine]

SHOWN = ("memory", "dependencies", "anatomy")
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 25, 29)"}


@pytest.fixture(scope="module")
def gallery(frozen: KernelBuild, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with some pictures."""
    path, _ = open_gallery(tmp_path_factory.mktemp("gallery"), SHOWN)
    return path.as_uri()


def visible(page: Page) -> tuple[int, int]:
    """How many pictures can be seen that are light, and that are dark."""
    return tuple(page.locator(f".on-{theme} img:visible").count() for theme in ("light", "dark"))  # type: ignore[return-value]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_readers_colours(
    page: Page, gallery: str, scheme: Literal["light", "dark"], shot: Callable[[str], Path]
) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.emulate_media(color_scheme=scheme)
    page.goto(gallery)
    assert visible(page) == ((3, 0) if scheme == "light" else (0, 3))
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    assert page.evaluate("() => [...document.images].every(image => image.naturalWidth > 1000)")
    assert [url for url in fetched if not url.startswith("data:")] == [gallery]
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page, "html") == []
    shot("")


def test_the_reader_may_choose_with_the_keyboard(page: Page, gallery: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(gallery)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "auto"
    for expected in ((3, 0), (0, 3), (3, 3)):
        page.keyboard.press("ArrowRight")
        assert visible(page) == expected
    page.get_by_text("The numbers behind it").first.click()
    assert page.get_by_role("columnheader", name="text").first.is_visible()


def test_it_fits_half_a_screen_and_a_sheet_of_paper(page: Page, gallery: str, shot: Callable[[str], Path]) -> None:
    page.set_viewport_size({"width": 500, "height": 900})
    page.emulate_media(color_scheme="dark")
    page.goto(gallery)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 500
    shot("half")
    page.emulate_media(color_scheme="dark", media="print")
    assert visible(page) == (3, 0)
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == PAPER["light"]
    assert not page.locator("nav").is_visible()
