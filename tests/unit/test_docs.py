# SPDX-License-Identifier: MIT
"""The site's own tools: links that are carried over, and what the look through finished pages finds."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from kmodlab.errors import UsageError
from kmodlab.resources import checkout

pytestmark = pytest.mark.checkout

if checkout() is not None:
    from docs.sitekit.check import external_links, problems
    from docs.sitekit.notebooks import add_notebook
    from docs.sitekit.texts import relink, section

GOOD = """<!doctype html><link rel="stylesheet" href="a.css"><h1 id="top">x</h1><a href="#top">up</a>
<a href="sub/b.html#there">b</a><a href="https://example.org/page">far</a><img src="a.png" alt="two bars">"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of two pages that is as it should be."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "sub/b.html").write_text('<p id="there"><a href="../index.html">back</a>')
    for name in ("a.css", "a.png"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_good_site_has_no_problem(site: Path) -> None:
    assert problems(site) == []
    assert external_links(site) == ["https://example.org/page"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('<a href="gone.html">', "leads to gone.html, which is not there"),
        ('<a href="sub/b.html#nowhere">', "leads to sub/b.html#nowhere, where there is no such place"),
        ('<a href="#nowhere">', "leads to #nowhere, where there is no such place"),
        ('<img src="a.png">', "a picture without words: a.png"),
        ('<img src="a.png" alt=" ">', "a picture without words: a.png"),
        ('<img src="gone.png" alt="x">', "leads to gone.png, which is not there"),
        ('<script src="https://cdn.example.org/x.js"></script>', "asks a network for https://cdn.example.org/x.js"),
        ('<link rel="stylesheet" href="//cdn.example.org/x.css">', "asks a network for //cdn.example.org/x.css"),
        ('<a href="http://example.org">', "no address: http://example.org"),
        ('<a href="https://example">', "no address: https://example"),
        ('<a href="javascript:alert(1)">', "a link of an unknown kind: javascript:alert(1)"),
    ],
)
def test_what_is_wrong_is_found(site: Path, wrong: str, said: str) -> None:
    (site / "index.html").write_text(GOOD + wrong)
    assert f"index.html: {said}" in problems(site)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with a text, a folder and a source."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "src").mkdir()
    for name in ("README.md", "docs/guide.md", "src/x.c"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ("[a](guide.md)", "[a](guide.md)"),
        ("[a](../README.md#In-two:-parts)", "[a](index.md#in-two-parts)"),
        ("[a](../README.md#in-two-parts)", "[a](index.md#in-two-parts)"),
        ("[its `x[0]`](guide.md)", "[its `x[0]`](guide.md)"),
        ("![a](guide.md)", "![a](guide.md)"),
        ("[here](#Whose-is-it?)", "[here](#whose-is-it)"),
        ("[the source](../src/x.c) and [its folder](../src)", "the source and its folder"),
        ("[far](https://example.org/a.md#B)", "[far](https://example.org/a.md#B)"),
        ("`[a](gone.md)`", "`[a](gone.md)`"),
        ("```\n[a](gone.md)\n```", "```\n[a](gone.md)\n```"),
    ],
)
def test_links_lead_from_page_to_page(top: Path, text: str, came: str) -> None:
    pages = {"README.md": "index.md", "docs/guide.md": "guide.md"}
    assert relink(text, "docs/other.md", "other.md", pages, top) == came


def test_a_link_that_leads_nowhere_is_said(top: Path) -> None:
    with pytest.raises(UsageError, match="its link to gone.md leads nowhere"):
        relink("[a](gone.md)", "docs/other.md", "other.md", {}, top)


def test_a_section_of_the_readme() -> None:
    text = "# x\n\n## One\n\nfirst\n\n### more\n\n## Two\n\nsecond\n"
    assert section(text, "One") == "first\n\n### more\n"
    assert section(text, "Two") == "second\n"
    with pytest.raises(UsageError, match="no section 'Three'"):
        section(text, "Three")


def test_a_notebook_keeps_its_outputs_and_its_pictures_words(tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    html = f'<img alt="a red square" src="data:image/png;base64,{data}"><a href="#In[7]:3:9">In[7]:3:9</a>'
    shown = nbformat.v4.new_output("display_data", {"text/html": html, "image/png": data})
    cells = [nbformat.v4.new_code_cell("%%kmod x\nint y;", execution_count=7, outputs=[shown])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "run.ipynb")
    add_notebook(tmp_path / "run.ipynb", tmp_path / "site/run.ipynb", tmp_path / "pictures", "../pictures/", str)
    came = nbformat.read(tmp_path / "site/run.ipynb", as_version=4)
    (picture,) = (tmp_path / "pictures").iterdir()
    assert Image.open(picture).convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert came.cells[0].source == '<span id="in-7" class="place"></span>'
    output = came.cells[1].outputs[0].data
    assert set(output) == {"text/html", "text/plain"}
    assert f'<img alt="a red square" loading="lazy" src="../pictures/{picture.name}">' in output["text/html"]
    assert '<a href="#in-7">In[7]:3:9</a>' in output["text/html"]
