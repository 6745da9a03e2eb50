# SPDX-License-Identifier: MIT
"""Places in the cells of a notebook (``In[3]:12``) as links, which kmodlab's extension of JupyterLab follows."""

from __future__ import annotations

import re

__all__ = ["linked"]

_PLACE = re.compile(r"\bIn\[\d+\](?::\d+){1,2}(?!\d)")


def linked(html: str) -> str:
    """Return HTML text, escaped already and outside of any tag, with each place in a cell made a link to it.

    On pages where nothing follows it the link does no harm.
    """
    return _PLACE.sub(r'<a href="#\g<0>">\g<0></a>', html)
