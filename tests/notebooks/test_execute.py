# SPDX-License-Identifier: MIT
"""Running notebooks headless: pages, an index, a report, and failures that do not hide."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

from kmodlab.course.execute import execute, find_notebooks, write_index, write_junit, write_notebooks
from kmodlab.course.pages import write_page
from kmodlab.errors import UsageError

pytestmark = pytest.mark.notebook


def write(path: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def test_a_page_of_each_and_a_failure_is_a_failure(tmp_path: Path) -> None:
    good = write(tmp_path / "course/good.ipynb", "import kmodlab, os; print('value', 6 * 7, os.getcwd())")
    bad = write(
        tmp_path / "course/bad.ipynb", "print('before')", "raise ValueError('wrong on purpose')", "print('after')"
    )
    before = good.read_bytes()
    results = execute(find_notebooks([tmp_path / "course"]), tmp_path / "out", jobs=2)
    assert [(result.notebook, result.ok) for result in results] == [(bad, False), (good, True)]
    page = (tmp_path / "out/good.html").read_text()
    assert f"value 42 {good.parent}" in page
    assert not re.search(r"<(?:script|link)[^>]*\bsrc=.https?://", page)
    assert "wrong on purpose" in results[0].error
    assert "\x1b" not in results[0].error
    assert "before" in results[0].page.read_text()
    assert good.read_bytes() == before
    index = write_index(results, tmp_path / "out").read_text()
    assert 'href="bad.html"' in index
    assert "failed" in index
    write_notebooks(results, tmp_path / "kept")
    kept = nbformat.read(tmp_path / "kept/good.ipynb", as_version=4)
    assert kept.cells[0].outputs[0].text == f"value 42 {good.parent}\n"
    with pytest.raises(UsageError, match="holds the notebooks themselves"):
        write_notebooks(results, good.parent)
    assert good.read_bytes() == before
    write_junit(results, tmp_path / "report.xml")
    suite = ET.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase[@name='bad']/failure")
    assert failure is not None
    assert "wrong on purpose" in (failure.text or "")


def test_links_lead_from_page_to_page_and_nowhere_else(tmp_path: Path) -> None:
    cell = nbformat.v4.new_markdown_cell("[a term](glossary.md#a-term), [next](next.ipynb#Look), [far](far.ipynb)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "first.ipynb")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("## Look")]), tmp_path / "next.ipynb")
    (tmp_path / "glossary.md").write_text("<!-- not shown -->\n# Glossary\n\n### a term\n\nSee [first](first.ipynb).\n")
    results = execute(find_notebooks([tmp_path]), tmp_path / "out", jobs=2)
    pages = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.html")}
    assert set(pages) == {"first.html", "next.html", "glossary.html"}
    assert set(re.findall(r'href="([^"#:]+\.\w+(?:#[\w-]+)?)"', pages["first.html"])) == {
        "glossary.html#a-term",
        "next.html#Look",
    }
    assert "far" in pages["first.html"]
    assert 'href="first.html"' in pages["glossary.html"]
    assert 'id="a-term"' in pages["glossary.html"]
    assert 'id="Look"' in pages["next.html"]
    assert "not shown" not in pages["glossary.html"]
    assert 'href="glossary.html"' in write_index(results, tmp_path / "out").read_text()


def test_on_a_page_c_is_coloured_as_c_and_a_place_leads_to_its_cell(tmp_path: Path) -> None:
    said = nbformat.v4.new_output("display_data", {"text/html": '<a href="#In[7]:3:9">In[7]:3:9</a>'})
    cell = nbformat.v4.new_code_cell("%%kmod x\nstatic int y;", execution_count=7, outputs=[said])
    write_page(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "page.html", "page", [])
    page = (tmp_path / "page.html").read_text()
    assert '<span class="k">static</span>' in page
    assert page.count('id="In[7]"') == 1
    assert '<a href="#In[7]">In[7]:3:9</a>' in page


def test_whoever_runs_notebooks_leaves_no_trace_in_a_learners_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMODLAB_DATA", str(tmp_path / "mine"))
    text = "from kmodlab.course.learner import Learner\nmine = Learner()\nmine.keep('a', 'b')\nprint(mine.path)"
    (result,) = execute([write(tmp_path / "x.ipynb", text)], tmp_path / "out")
    assert result.ok
    assert "learner.sqlite3" in result.page.read_text()
    assert not (tmp_path / "mine").exists()


def test_a_cell_that_does_not_end(tmp_path: Path) -> None:
    endless = write(tmp_path / "endless.ipynb", "while True: pass")
    (result,) = execute([endless], tmp_path / "out", cell_timeout=2)
    assert not result.ok
    assert "longer than 2 s" in result.error


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "rubbish.ipynb").write_text("{")
    one, other = write(tmp_path / "a/x.ipynb", "1"), write(tmp_path / "b/x.ipynb", "1")
    with pytest.raises(UsageError, match="no notebook there"):
        find_notebooks([tmp_path / "empty"])
    with pytest.raises(UsageError, match="is it a notebook"):
        execute([tmp_path / "rubbish.ipynb"], tmp_path / "out")
    with pytest.raises(UsageError, match="same name"):
        execute([one, other], tmp_path / "out")
