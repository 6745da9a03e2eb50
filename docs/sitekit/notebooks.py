# SPDX-License-Identifier: MIT
"""Executed notebooks as pages of the site: pictures in files of their own, places in cells as links."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["add_notebook", "save_picture"]

_DATA = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=\s]+)"')
_PLACE = re.compile(r'href="#In\[(\d+)\][:\d]*"')
_COLOURS = 128
"""Of a picture, as in the gallery: a third of the size, and no difference to be seen."""


def save_picture(png: bytes, folder: Path) -> str:
    """Keep a picture in a folder, with few colours, and return its file's name there."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    name = f"{hashlib.sha256(png).hexdigest()[:16]}.png"
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    picture.save(folder / name, "PNG", optimize=True)
    return name


def add_notebook(executed: Path, page: Path, pictures: Path, prefix: str, link: Callable[[str], str]) -> None:
    """Write an executed notebook as a source of the site.

    Args:
        executed: the notebook with its outputs.
        page: the source to write.
        pictures: the folder that takes its pictures.
        prefix: the way from the page's folder on the site to that folder.
        link: makes a Markdown text's links those of the site.
    """
    notebook: Any = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    notebook.metadata = {"language_info": {"name": "python", "pygments_lexer": "kmodlab"}}
    wanted: set[int] = set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = link(cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                words = _DATA.sub(lambda found: _image(found[1], pictures, prefix), "".join(data["text/html"]))
                wanted |= {int(number) for number in _PLACE.findall(words)}
                data["text/html"] = _PLACE.sub(r'href="#in-\1"', words)
                output.data = {"text/html": data["text/html"], "text/plain": data.get("text/plain", "")}
    notebook.cells = [made for cell in notebook.cells for made in _with_place(cell, wanted)]
    page.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, page)  # type: ignore[no-untyped-call]


def _image(encoded: str, pictures: Path, prefix: str) -> str:
    return f'loading="lazy" src="{prefix}{save_picture(base64.b64decode(encoded), pictures)}"'


def _with_place(cell: Any, wanted: set[int]) -> list[Any]:
    """A cell, and before it the place to which links in outputs lead, if any does."""
    number = cell.get("execution_count")
    if number not in wanted:
        return [cell]
    place = nbformat.v4.new_markdown_cell(f'<span id="in-{number}" class="place"></span>')  # type: ignore[no-untyped-call]
    return [place, cell]
