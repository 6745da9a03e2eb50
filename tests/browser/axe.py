# SPDX-License-Identifier: MIT
"""axe-core's rules for pages that everybody can use, on a part of a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["violations"]

_AXE = Path(__file__).with_name("vendor") / "axe.min.js"
_RUN = """async selector => (await axe.run(selector)).violations.flatMap(rule =>
    rule.nodes.map(node => `${rule.id} (${rule.impact}): ${node.html.slice(0, 160)}: ${node.failureSummary}`))"""


def violations(page: Page, selector: str) -> list[str]:
    """Return what an element and all in it hold against the rules."""
    if page.evaluate("() => typeof window.axe") == "undefined":
        page.add_script_tag(path=_AXE)
    found: list[str] = page.evaluate(_RUN, selector)
    return found
