# SPDX-License-Identifier: MIT
"""The words of the course: their spelling, where links lead, and the glossary that links back."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from kmodlab.course.execute import find_notebooks
from kmodlab.resources import resource

FOLDER = resource("notebooks")
NOTEBOOKS = find_notebooks([FOLDER])
TEXTS = [*NOTEBOOKS, *sorted(FOLDER.glob("*.md"))]
LINK = re.compile(r"\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s]+)\)")


@cache
def words(path: Path) -> str:
    """The text of a Markdown file, or of a notebook's text cells; code in it is blanked."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=nbformat.NO_CONVERT).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(path: Path) -> set[str]:
    """The names under which JupyterLab and the HTML pages know a text's headings."""
    headings = re.findall(r"^#+ +(.+?) *$", words(path), re.MULTILINE)
    return {re.sub(r"[`*]", "", heading).replace(" ", "-") for heading in headings}


def links(path: Path) -> list[tuple[str, str]]:
    """The links of a text, as file and anchor, both perhaps empty; those into the net are left out."""
    found = [unquote(link["to"]) for link in LINK.finditer(words(path))]
    return [(to.partition("#")[0], to.partition("#")[2]) for to in found if not re.match(r"https?:|mailto:", to)]


@pytest.mark.parametrize("path", TEXTS, ids=[path.name for path in TEXTS])
def test_links_lead_somewhere(path: Path) -> None:
    for file, anchor in links(path):
        there = (path.parent / file) if file else path
        assert there.is_file(), f"{file} is not there"
        if anchor:
            assert anchor in anchors(there), f"{file} has no heading {anchor}"


def test_words_are_spelled_as_in_a_dictionary(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("codespell")
    if not program.exists():
        pytest.skip("no codespell in this environment")
    for path in TEXTS:
        (tmp_path / f"{path.stem}.txt").write_text(words(path))
    settings = Path(__file__).parents[2] / "pyproject.toml"
    found = subprocess.run(
        [program, "--toml", settings, "--skip=", tmp_path], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


# -- The glossary -----------------------------------------------------------------------------------------------------

ENTRY = re.compile(r"^### (?P<term>.+)\n\n(?P<text>(?:(?!^#).*\n?)+)", re.MULTILINE)
ENTRIES = {entry["term"]: entry["text"].strip() for entry in ENTRY.finditer(words(FOLDER / "glossary.md"))}


def test_terms_are_in_order_and_explained() -> None:
    assert len(ENTRIES) >= 40
    assert list(ENTRIES) == sorted(ENTRIES, key=lambda term: term.lower().lstrip("/_."))
    for term, text in ENTRIES.items():
        assert len(text.partition("→")[0].split()) >= 5, term


@pytest.mark.parametrize("term", ENTRIES)
def test_a_term_links_back_to_a_lesson_that_links_to_it(term: str) -> None:
    back = [link["to"].partition("#")[0] for link in LINK.finditer(ENTRIES[term])]
    assert len(back) == 1
    assert ("glossary.md", term.replace(" ", "-")) in links(FOLDER / back[0])
