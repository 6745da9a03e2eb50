# SPDX-License-Identifier: MIT
"""The repository's Markdown as pages of the site: links lead from page to page, wherever the files lie."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote

from kmodlab.errors import UsageError

__all__ = ["relink", "section"]

_LINK = re.compile(r"(?P<image>!?)\[(?P<words>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_BLOCK = re.compile(r"^(`{3,}).*?^\1[ ]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of the second level, up to the next of its kind.

    Raises:
        UsageError: there is no such heading.
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise UsageError(f"read README.md: it has no section {heading!r}, which a page of the site shows")
    return found[1].strip() + "\n"


def relink(text: str, source: str, page: str, pages: Mapping[str, str], top: Path) -> str:
    """Return a text of the repository with its links as they have to be on the site.

    Args:
        text: Markdown.
        source: the path of its file in the repository.
        page: where it stands among the site's sources.
        pages: the files that are on the site: path in the repository → path among the site's sources.
        top: the checkout.

    A link to a file or folder that has no page becomes its words.

    Raises:
        UsageError: a link leads to a file that is not there.
    """

    def lead(link: re.Match[str]) -> str:
        target, mark, fragment = link["target"].partition("#")
        if re.match(r"\w+:", target):
            return link[0]
        place = mark + _slug(fragment)
        if not target:
            return f"[{link['words']}]({place})"
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), unquote(target)))
        if path in pages:
            to = posixpath.relpath(pages[path], posixpath.dirname(page) or ".")
            return f"{link['image']}[{link['words']}]({to}{place})"
        if not (top / path).exists():
            raise UsageError(f"read {source}: its link to {target} leads nowhere")
        return link["words"]

    return _outside_code(text, lambda part: _LINK.sub(lead, part))


def _slug(fragment: str) -> str:
    """A place in a text as the site names it, whether it was written for JupyterLab or for code hosting."""
    return re.sub(r"[^\w-]", "", unquote(fragment).lower().replace(" ", "-"))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """A text with all but its code changed; what looks like a link there is none."""
    kept: list[str] = []

    def keep(code: re.Match[str]) -> str:
        kept.append(code[0])
        return f"\0{len(kept) - 1}\0"

    hidden = _CODE.sub(keep, _BLOCK.sub(keep, text))
    changed = change(hidden)
    while "\0" in changed:
        changed = re.sub(r"\0(\d+)\0", lambda place: kept[int(place[1])], changed)
    return changed
