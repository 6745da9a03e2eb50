# SPDX-License-Identifier: MIT
"""How excerpts of the kernel's source look: a name's declaration in colour, with its place and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from kmodlab.build.reference import Excerpt
from kmodlab.jupyter.display import View

__all__ = ["excerpts", "glance"]

_KINDS = {"prototype": "function", "enumerator": "constant of an enum"}
_OTHERS = 8
_BOX = "max-height:32em;overflow:auto;margin:.3em 0;padding:.3em .6em;border:1px solid var(--jp-border-color2, #bdbdbd)"
_FONT = "var(--jp-code-font-family, ui-monospace, monospace)"
_CODE = f"margin:0;tab-size:8;background:none;font-family:{_FONT}"
_SMALL = "margin:.2em 0"


def excerpts(found: Sequence[Excerpt], origin: str) -> View:
    """Return the first excerpt whole and the places of the others.

    Args:
        found: at least one, all of one name.
        origin: what they are from, in words.
    """
    first, others = found[0], found[1:]
    view = _heading(first, f"{first.where} of {origin}") + _code(first.code) + _said(first)
    if others:
        places = [f"{one.where} ({_kind(one)})" for one in others[:_OTHERS]]
        more = f" and {len(others) - _OTHERS} more" if len(others) > _OTHERS else ""
        text = f"also in {', '.join(places)}{more}; --all shows them"
        view += View(f'<p style="{_SMALL}">{escape(text)}</p>', text)
    return view


def glance(one: Excerpt) -> View:
    """Return what is worth knowing of a name while one writes: its prototype first, then what is said of it."""
    return _code(one.prototype(), wrap=True) + _heading(one, one.where) + _said(one)


def _kind(one: Excerpt) -> str:
    inline = one.kind == "function" and one.header
    return "inline function" if inline else _KINDS.get(one.kind, one.kind)


def _heading(one: Excerpt, place: str) -> View:
    include = f", #include <{one.header}>" if one.header else ""
    html = f'<p style="{_SMALL}"><strong>{escape(one.name)}</strong>: {_kind(one)}, {escape(place + include)}</p>'
    return View(html, f"{one.name}: {_kind(one)}, {place}{include}")


def _said(one: Excerpt) -> View:
    return View(one.doc.html(), f"{one.doc}\n") if one.doc else View("", "")


def _code(text: str, *, wrap: bool = False) -> View:
    """C in the colours of the page; a macro as if what it stands for were written there."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import CLexer

    macro = text.startswith("#")
    coloured = highlight(text.removeprefix("#"), CLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n")
    coloured = ("#" if macro else "") + coloured.replace(' class="err"', "")
    space = "pre-wrap" if wrap else "pre"
    pre = f'<pre style="{_CODE};white-space:{space}">{coloured}</pre>'
    html = f'<div class="highlight" style="{_BOX}" tabindex="0">{pre}</div>'
    return View(html, text)
