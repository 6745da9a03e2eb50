# SPDX-License-Identifier: MIT
"""HTML pages of notebooks and of the texts beside them, linked to each other and to nothing in a network."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat

__all__ = ["texts_beside", "write_page", "write_text_page"]

_LINK = re.compile(r'<a (?P<before>[^>]*?)href="(?P<target>[^":?#]+\.(?:ipynb|md))(?P<part>#[^"]*)?"(?P<after>[^>]*)>'
                   r"(?P<words>.*?)</a>", re.DOTALL)  # fmt: skip

_PROMPT = re.compile(r'(?<=<div )class="[^"]*\bjp-InputPrompt\b[^"]*">In[^\[<]*\[(\d+)\]:')
_LINE_OF_CELL = re.compile(r'(<a href="#In\[\d+\])[:\d]+')
_COLOURS = {
    "HighlightMagicsPreprocessor": {
        "enabled": True,
        "languages": {"%%kmod": "c", "%%program": "c", "%%guest": "bash"},
    }
}


def texts_beside(notebooks: Sequence[Path]) -> list[Path]:
    """Return the Markdown files in the notebooks' folders, such as the glossary, each once."""
    return sorted({path for folder in {one.absolute().parent for one in notebooks} for path in folder.glob("*.md")})


def write_page(notebook: nbformat.NotebookNode, page: Path, title: str, pages: Collection[str]) -> None:
    """Write a notebook, outputs included, as a page.

    Args:
        notebook: as nbformat has read it.
        page: the file, replaced at once if it is there.
        title: of the page.
        pages: the notebooks and texts, by their names without folder, that have a page in the same folder. A link to
            one of them leads to its page; a link to another file of these kinds becomes plain text.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    exporter = HTMLExporter(config=Config(_COLOURS))  # type: ignore[no-untyped-call]
    # These would be fetched from elsewhere by whoever reads the page.
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    part = page.with_suffix(".part")
    part.write_text(_with_places(_relinked(body, pages)))
    part.replace(page)


def _with_places(body: str) -> str:
    """A page on which a link to a place, such as ``#In[3]:12``, leads to its cell."""
    return _LINE_OF_CELL.sub(r"\1", _PROMPT.sub(r'id="In[\1]" \g<0>', body))


def write_text_page(text: Path, page: Path, pages: Collection[str]) -> None:
    """Write a Markdown file as a page that looks like those of notebooks; the arguments are those of `write_page`."""
    words = re.sub(r"\A<!--.*?-->\s*", "", text.read_text(), flags=re.DOTALL)
    cell: Any = nbformat.v4.new_markdown_cell(words)  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    heading = re.search(r"^# (.+)$", words, re.MULTILINE)
    write_page(notebook, page, heading[1] if heading else text.stem, pages)


def _relinked(body: str, pages: Collection[str]) -> str:
    def lead(link: re.Match[str]) -> str:
        name = unquote(unescape(link["target"]))
        if name not in pages:
            return link["words"]
        page = escape(str(Path(name).with_suffix(".html")))
        return f'<a {link["before"]}href="{page}{link["part"] or ""}"{link["after"]}>{link["words"]}</a>'

    return _LINK.sub(lead, body)
