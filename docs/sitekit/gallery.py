# SPDX-License-Identifier: MIT
"""The gallery as a page of the site: each kind of picture, drawn from one real machine, light and dark."""

from __future__ import annotations

import shutil
from html import escape
from itertools import groupby
from pathlib import Path

from docs.sitekit.notebooks import save_picture
from kmodlab.course.exhibits import BEGIN
from kmodlab.course.gallery import Shown, open_gallery
from kmodlab.host.kernels import default_kernel

__all__ = ["write_gallery"]

_LEAD = """\
# Gallery

{count} pictures of a running kernel, all drawn from one machine. It ran Linux {release}. Every number here is its own,
and the line below each picture draws it, from what the folded lines measured. Before all of them stood:

```python
{begin}
```
"""


def write_gallery(folder: Path) -> None:
    """Draw all pictures in one fresh machine and leave ``gallery.md`` and the folder ``pictures`` in a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    _, shown = open_gallery(folder)
    parts = [_LEAD.format(count=len(shown), release=default_kernel().release, begin=BEGIN.strip())]
    for room, few in groupby(shown, key=lambda one: one.room):
        parts.append(f"## {room}\n")
        parts += [_exhibit(one, folder / "pictures") for one in few]
    (folder / "gallery.md").write_text("\n".join(parts))


def _exhibit(one: Shown, pictures: Path) -> str:
    exhibit = one.exhibit
    images = "".join(
        f'<img class="only-{theme}" alt="{escape(picture.alt)}" loading="lazy" '
        f'src="pictures/{save_picture(picture.png(), pictures)}" '
        f'style="width:{round(picture.figure.get_figwidth() * 96)}px">'
        for theme, picture in one.pictures.items()
    )
    alt = next(iter(one.pictures.values())).alt
    tables = "".join(rows._repr_html_() for rows in one.tables)
    measured = f"<pre>{escape(exhibit.prepare.strip())}</pre>" if exhibit.prepare.strip() else ""
    return f"""
### {exhibit.question}

{exhibit.words}

```{{raw}} html
<figure class="exhibit">{images}</figure>
```

```python
{exhibit.draw.strip()}
```

```{{raw}} html
{_folded("The lines that measured it", measured)}
{_folded("The picture in words", f"<p>{escape(alt)}</p>")}
{_folded("The numbers behind it", tables)}
```
"""


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{title}</summary>{inside}</details>" if inside else ""
