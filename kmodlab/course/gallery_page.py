# SPDX-License-Identifier: MIT
"""The gallery as HTML: one file, pictures and all, that follows the reader's colours and prints."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from kmodlab.course.exhibits import BEGIN

if TYPE_CHECKING:
    from kmodlab.course.gallery import Shown

__all__ = ["page_of"]

_STYLE = """
:root { color-scheme: light; --page: #ffffff; --ink: #1b1f24; --quiet: #57606a; --faint: #d8dee4; --box: #f6f8fa;
  --link: #0060a0; }
:root:has(#dark:checked) { color-scheme: dark; --page: #16191d; --ink: #eceff2; --quiet: #a9b3bd; --faint: #3a4149;
  --box: #1f242a; --link: #8fd0f5; }
@media (prefers-color-scheme: dark) { :root:has(#auto:checked) { color-scheme: dark; --page: #16191d; --ink: #eceff2;
  --quiet: #a9b3bd; --faint: #3a4149; --box: #1f242a; --link: #8fd0f5; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 17px/1.55 system-ui, "DejaVu Sans", sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid #e69f00; outline-offset: 2px; }
.skip { position: absolute; left: -999em; }
.skip:focus { left: 1em; top: 1em; background: var(--page); padding: .5em 1em; z-index: 2; }
header, main, footer { max-width: 860px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 2.2em; line-height: 1.15; margin: 0 0 .3em; letter-spacing: -.01em; }
.lead { font-size: 1.12em; color: var(--quiet); margin: 0 0 1.2em; max-width: 40em; }
fieldset { border: 1px solid var(--faint); border-radius: 8px; padding: .35em 1em .5em; margin: 0 0 1.4em;
  width: fit-content; max-width: 100%; }
legend { color: var(--quiet); font-size: .85em; padding: 0 .4em; }
fieldset label { margin-right: 1.1em; white-space: nowrap; }
nav { columns: 2 300px; column-gap: 32px; border-top: 1px solid var(--faint); border-bottom: 1px solid var(--faint);
  padding: 1em 0; }
nav h2 { font-size: .85em; margin: 0; color: var(--quiet); font-weight: 600; }
nav div { break-inside: avoid; margin-bottom: .8em; }
nav ul { margin: 0; padding: 0; list-style: none; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
main h2 { font-size: 1.5em; margin: 2.2em 0 0; padding-bottom: .2em; border-bottom: 2px solid var(--ink); }
article { margin: 0 0 3.2em; padding-top: 1em; }
article h3 { font-size: 1.25em; margin: .6em 0 .1em; }
article p { margin: .2em 0 .9em; color: var(--quiet); max-width: 44em; }
figure { margin: 0; }
figure img { display: block; border: 1px solid var(--faint); border-radius: 8px; }
pre { background: var(--box); border-radius: 8px; padding: .8em 1em; margin: .9em 0; color: var(--quiet);
  white-space: pre-wrap; overflow-wrap: anywhere;
  font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre b { color: var(--ink); font-weight: 600; }
details { border-top: 1px solid var(--faint); padding: .35em 0; }
details:last-of-type { border-bottom: 1px solid var(--faint); }
summary { cursor: pointer; color: var(--quiet); font-size: .92em; padding: .15em 0; }
details p { color: var(--ink); font-size: .95em; margin: .3em 0 .6em; }
details table { font-size: .88em; }
footer { color: var(--quiet); font-size: .9em; padding-bottom: 60px; }
.on-dark { display: none; }
:root:has(#dark:checked) .on-dark { display: block; }
:root:has(#dark:checked) .on-light { display: none; }
:root:has(#both:checked) .on-dark { display: block; margin-top: 12px; }
@media (prefers-color-scheme: dark) {
  :root:has(#auto:checked) .on-dark { display: block; }
  :root:has(#auto:checked) .on-light { display: none; }
}
@media (max-width: 520px) {
  body { font-size: 16px; }
  header, main, footer { padding-left: 12px; padding-right: 12px; }
  h1 { font-size: 1.7em; }
}
@media print {
  :root, :root:has(#auto:checked), :root:has(#dark:checked) { color-scheme: light; --page: #fff; --ink: #000;
    --quiet: #444; --faint: #ccc; --box: #f4f4f4; --link: #000; }
  .on-light, :root:has(#dark:checked) .on-light, :root:has(#auto:checked) .on-light { display: block; }
  .on-dark, :root:has(#dark:checked) .on-dark, :root:has(#auto:checked) .on-dark,
  :root:has(#both:checked) .on-dark { display: none; }
  fieldset, nav, details, .skip { display: none; }
  body { font-size: 11pt; }
  header, main, footer { max-width: none; padding: 0; }
  article, figure { break-inside: avoid; }
  article h3, article p, main h2 { break-after: avoid; }
  article { margin-bottom: 1.2em; }
  figure img { border: 0; max-height: 60vh; width: auto !important; }
  pre { white-space: pre-wrap; border: 1px solid #ccc; font-size: 8.5pt; }
}
"""

_COLOURS = 128  # of a picture: enough for those there are, with what lies between them at the edges of letters
_THEMES = (("auto", "as your system"), ("light", "light"), ("dark", "dark"), ("both", "both"))


def page_of(shown: Sequence[Shown], release: str, accelerator: str, seconds: float) -> str:
    """Return the page.

    Args:
        shown: the exhibits.
        release: of the kernel.
        accelerator: of the machine: ``tcg`` or ``kvm``.
        seconds: that running them took.
    """
    rooms = [(room, list(few)) for room, few in groupby(shown, key=lambda one: one.room)]
    processor = "an emulated processor" if accelerator == "tcg" else f"a processor by {accelerator}"
    lead = (
        f"{len(shown)} pictures of a running kernel, all drawn from one machine in {seconds:.0f} s. "
        f"It ran Linux {release} on {processor}. Every number on this page is its own."
    )
    body = "\n".join(_room(room, few) for room, few in rooms)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gallery of kmodlab</title>
<style>{_STYLE}</style>
</head>
<body>
<a class="skip" href="#{escape(shown[0].exhibit.name)}">To the first picture</a>
<header>
<h1>See the kernel</h1>
<p class="lead">{escape(lead)}</p>
<fieldset><legend>Colours of the page</legend>
{_choices()}
</fieldset>
<nav aria-label="Pictures">
{"".join(_contents(room, few) for room, few in rooms)}
</nav>
</header>
<main>
<p>The line below each picture draws it, from what the folded lines measured. Before all of them stood:</p>
{_code(BEGIN)}
{body}
</main>
<footer><p>kmodlab, Linux {escape(release)}. Times were measured with the kernel's tracer at work and on {processor}:
compare them with each other, not with those of another machine.</p></footer>
</body>
</html>
"""


def _choices() -> str:
    return "\n".join(
        f'<label><input type="radio" name="theme" id="{key}"{" checked" if key == "auto" else ""}> {words}</label>'
        for key, words in _THEMES
    )


def _contents(room: str, few: Sequence[Shown]) -> str:
    items = "".join(f'<li><a href="#{escape(one.exhibit.name)}">{escape(one.exhibit.question)}</a></li>' for one in few)
    return f"<div><h2>{escape(room)}</h2><ul>{items}</ul></div>\n"


def _room(room: str, few: Sequence[Shown]) -> str:
    return f"<section><h2>{escape(room)}</h2>\n" + "\n".join(map(_article, few)) + "\n</section>"


def _article(one: Shown) -> str:
    exhibit = one.exhibit
    pictures = "".join(
        f'<div class="on-{theme}">{picture.html(colours=_COLOURS)}</div>' for theme, picture in one.pictures.items()
    )
    tables = "".join(rows._repr_html_() for rows in one.tables)
    alt = next(iter(one.pictures.values())).alt
    return f"""<article id="{escape(exhibit.name)}">
<h3>{escape(exhibit.question)}</h3>
<p>{escape(exhibit.words)}</p>
<figure>{pictures}</figure>
{_code(exhibit.draw, bold=True)}
{_before(exhibit.prepare)}<details><summary>The picture in words</summary><p>{escape(alt)}</p></details>
<details><summary>The numbers behind it</summary>{tables}</details>
</article>"""


def _before(lines: str) -> str:
    """Return the folded lines that were run before a picture; where there are none, an earlier picture's served."""
    if not lines:
        return ""
    return f"<details><summary>The lines that measured it</summary>{_code(lines)}</details>\n"


def _code(lines: str, *, bold: bool = False) -> str:
    text = escape(lines.strip())
    return f"<pre><code>{f'<b>{text}</b>' if bold else text}</code></pre>"
