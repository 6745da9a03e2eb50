# SPDX-License-Identifier: MIT
"""Each notebook, executed as a reader would run it, and what its cells then show."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.course.execute import NotebookResult, execute, find_notebooks
from kmodlab.resources import resource

pytestmark = [pytest.mark.notebook, pytest.mark.machine, pytest.mark.build]

NOTEBOOKS = find_notebooks([resource("notebooks")])
NOISE = ("Traceback", "Warning", "<kmodlab.", " object at 0x", "%|", "\r")
"""What a reader must not find among the outputs: Python's own words, objects without a look, leftovers of progress."""


class Images(HTMLParser):
    """The attributes of all pictures of an HTML text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs))


def outputs(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, nbformat.NotebookNode]]:
    """The outputs of a notebook, each with the id of its cell."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield cell.id, output


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


@pytest.fixture(autouse=True)
def orphans_are_ours() -> Iterator[None]:
    """Make what a Jupyter kernel leaves running, such as QEMU, a child of this process: ``nothing_left`` sees those."""
    prctl, child_subreaper = ctypes.CDLL(None).prctl, 36
    before = children()
    assert prctl(child_subreaper, 1, 0, 0, 0) == 0
    yield
    deadline = time.monotonic() + 5
    while (left := children() - before) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        os.sched_yield()
    prctl(child_subreaper, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], NotebookResult]:
    """Execute a notebook, once; with ``KMODLAB_KEEP`` its page is kept in ``out/notebooks``."""
    pages = Path("out/notebooks") if os.environ.get("KMODLAB_KEEP") else tmp_path_factory.mktemp("pages")
    done: dict[Path, NotebookResult] = {}

    def run(path: Path) -> NotebookResult:
        if path not in done:
            (done[path],) = execute([path], pages)
        return done[path]

    return run


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook(path: Path, frozen: KernelBuild, executed: Callable[[Path], NotebookResult]) -> None:
    result = executed(path)
    assert result.error == ""
    assert result.executed is not None
    shown = list(outputs(result.executed))
    for cell, output in shown:
        if output.output_type == "stream":
            assert output.name == "stdout", f"{cell}: {output.text}"
            continue
        assert {"text/html", "text/plain"} <= output.data.keys(), f"{cell}: {output.data}"
        assert output.data["text/plain"].strip(), cell
        for image in Images(output.data["text/html"]).found:
            assert len((image["alt"] or "").split()) > 10, cell
        assert ("image/png" in output.data) == bool(Images(output.data["text/html"]).found), cell
    said = [(cell, output.get("text") or output.data["text/plain"]) for cell, output in shown]
    assert not [(cell, text) for cell, text in said for noise in NOISE if noise in text]
    page = result.page.read_text()
    pictures = sum("image/png" in output.get("data", {}) for _, output in shown)
    assert len(Images(page).found) == pictures
    assert all(image.get("alt") for image in Images(page).found)


def test_the_tour_shows_what_it_promises(frozen: KernelBuild, executed: Callable[[Path], NotebookResult]) -> None:
    result = executed(resource("notebooks") / "00_tour.ipynb")
    assert result.executed is not None
    said = {
        cell.id: "\n".join(output.get("text") or output.data["text/plain"] for output in cell.get("outputs", ()))
        for cell in result.executed.cells
    }
    assert "3 packets transmitted, 3 received" in said["network-use"]
    assert "Kernel, remember this." in said["driver-use"]
    assert "Module notefs is in use" in said["filesystem-in-use"]
    assert "3 new modules" in said["memory-picture"]
    assert "importer leans on exporter" in said["dependencies-ours"]
    assert "btrfs leans on" in said["dependencies-btrfs"]
    assert "NULL pointer dereference in crash_init" in said["crash-load"]
    assert "RIP: 0010:crash_init" in said["crash-load"]
    assert "Loading" in said["crash-after"]
    assert said["crash-fresh"].startswith("A fresh machine after ")


def test_a_cell_that_fails_fails_the_notebook_and_keeps_the_page(frozen: KernelBuild, tmp_path: Path) -> None:
    cells = ["import kmodlab\n%load_ext kmodlab\n%insmod hello", "%insmod hello", "print('never')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "bad.ipynb")
    (result,) = execute([tmp_path / "bad.ipynb"], tmp_path / "out")
    assert not result.ok
    assert "ModuleLoadError" in result.error
    assert "File exists" in result.error
    page = result.page.read_text()
    assert "hello, world" in page
    assert "never" not in [output.get("text", "").strip() for _, output in outputs(result.executed)]
