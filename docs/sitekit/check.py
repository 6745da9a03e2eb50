# SPDX-License-Identifier: MIT
"""Looks through the finished pages: links that lead nowhere, pictures without words, what would ask a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Page", "external_links", "problems", "read_pages"]

_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
_FETCHED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "preconnect", "dns-prefetch"}


@dataclass
class Page:
    """What one page holds.

    Attributes:
        ids: the places in it.
        links: where its links lead.
        fetched: what a browser fetches for it.
        wordless: pictures without a text alternative.
    """

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    wordless: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is and leads to."""
        given = {name: value or "" for name, value in attrs}
        self.page.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        elif tag == "link":
            fetches = _FETCHED_LINKS & set(given.get("rel", "").split())
            (self.page.fetched if fetches else self.page.links).append(given.get("href", ""))
        elif given.get(_FETCHED.get(tag, "")):
            self.page.fetched.append(given[_FETCHED[tag]])
        if tag == "img" and not given.get("alt", "").strip():
            self.page.wordless.append(given.get("src", "")[:60])


def read_pages(site: Path) -> dict[Path, Page]:
    """Return what each page of a site holds."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        reader = _Reader()
        reader.feed(path.read_text())
        pages[path] = reader.page
    return pages


def problems(site: Path) -> list[str]:
    """Return what is wrong with a site, a line each; nothing if all is well."""
    pages = read_pages(site)
    found = []
    for path, page in pages.items():
        shown = path.relative_to(site)
        found += [f"{shown}: a picture without words: {picture}" for picture in page.wordless]
        found += [f"{shown}: asks a network for {url}" for url in page.fetched if _leads_away(url)]
        for url in dict.fromkeys([*page.links, *page.fetched]):
            if _leads_away(url):
                found += [f"{shown}: no address: {url}"] if not _could_be(url) else []
            elif not url.startswith(("data:", "mailto:")):
                found += [f"{shown}: {words}" for words in _local(url, path, pages)]
    return found


def external_links(site: Path) -> list[str]:
    """Return the addresses that links lead to outside the site, each once."""
    return sorted({url for page in read_pages(site).values() for url in page.links if _leads_away(url)})


def _leads_away(url: str) -> bool:
    return url.startswith("//") or urlsplit(url).scheme in {"http", "https", "ws", "wss", "ftp"}


def _could_be(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and "." in (parts.hostname or "") and " " not in url


def _local(url: str, path: Path, pages: dict[Path, Page]) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme:
        return [f"a link of an unknown kind: {url}"]
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return [f"leads to {url}, which is not there"]
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].ids and parts.fragment not in pages[target].ids:
        return [f"leads to {url}, where there is no such place"]
    return []
