# SPDX-License-Identifier: MIT
"""Runs notebooks headless and keeps each as an HTML page that needs nothing from a network."""

from __future__ import annotations

import asyncio
import html
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat

from kmodlab.course.cells import fill
from kmodlab.course.executor import WorkersDied, outcome
from kmodlab.course.exercise import find_exercises
from kmodlab.course.pages import texts_beside, write_page, write_text_page
from kmodlab.course.running import run_notebook
from kmodlab.course.tasks import do_notebook, notebook_task
from kmodlab.errors import UsageError
from kmodlab.host.kernels import default_kernel

__all__ = ["NotebookResult", "execute", "find_notebooks", "write_index", "write_junit", "write_notebooks"]

_CELL_TIMEOUT = 600  # seconds


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """What came of one notebook.

    Attributes:
        notebook: its path.
        page: the HTML page, with the outputs of the cells that ran.
        ok: whether every cell went well.
        seconds: how long it ran.
        error: what the failing cell said, as text without colours, or an empty text.
        executed: the notebook with its outputs.
    """

    notebook: Path
    page: Path
    ok: bool
    seconds: float
    error: str = ""
    executed: nbformat.NotebookNode | None = None


def find_notebooks(paths: Iterable[Path]) -> list[Path]:
    """Return the notebooks among paths and in folders, each once, in the order of their names.

    Raises:
        UsageError: a path is no notebook, or a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = (
            sorted(p for p in path.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts) if path.is_dir() else [path]
        )
        if not inside or any(each.suffix != ".ipynb" or not each.is_file() for each in inside):
            raise UsageError(f"execute {path}: no notebook there; give .ipynb files or folders that hold some")
        found.update(dict.fromkeys(inside))
    return list(found)


def execute(
    notebooks: Sequence[Path],
    out: Path,
    *,
    jobs: int = 1,
    cell_timeout: int = _CELL_TIMEOUT,
    solved: bool | None = None,
    pool: Executor | None = None,
    watch: Callable[[NotebookResult], object] = lambda result: None,
) -> list[NotebookResult]:
    """Run notebooks, each in a Jupyter kernel of its own with its own folder as the working folder.

    The notebooks' files stay as they are. The user's own IPython and Jupyter settings play no part.

    Args:
        notebooks: their paths; names must differ, since the pages are named after them.
        out: the folder for the pages.
        jobs: how many run at once, without a pool.
        cell_timeout: seconds that a cell may take.
        solved: put the solutions into the cells of exercises, or (false) the skeletons; None leaves them as they are.
        pool: of workers, which run them instead of this process (`kmodlab.course.executor`).
        watch: called with each result as soon as it is there.

    Markdown files beside the notebooks, such as the glossary, become pages as well.

    Raises:
        UsageError: two have the same name, or one is not a notebook.
        HostSetupError: a worker is not set up.
    """
    names = [path.stem for path in notebooks]
    if len(set(names)) < len(names):
        raise UsageError("execute: two notebooks have the same name; run them one after the other with another --out")
    out.mkdir(parents=True, exist_ok=True)
    texts = {path.stem: path for path in texts_beside(notebooks) if path.stem not in {*names, "index"}}
    pages = {path.name for path in (*notebooks, *texts.values())}
    read = {path: _read(path, solved) for path in notebooks}

    def done(path: Path, notebook: nbformat.NotebookNode, error: str, seconds: float) -> NotebookResult:
        page = out.absolute() / f"{path.stem}.html"
        write_page(notebook, page, path.stem, pages)
        result = NotebookResult(path, page, not error, seconds, error, notebook)
        watch(result)
        return result

    if pool is None:
        results = asyncio.run(_here(read, jobs, cell_timeout, done))
    else:
        results = _elsewhere(read, pool, cell_timeout, done)
    for name, text in texts.items():
        write_text_page(text, out.absolute() / f"{name}.html", pages)
    return results


def _read(path: Path, solved: bool | None) -> nbformat.NotebookNode:
    try:
        notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (ValueError, OSError) as failure:
        raise UsageError(f"execute {path}: {failure}; is it a notebook?") from failure
    if solved is not None:
        notebook = nbformat.from_dict(fill(notebook, find_exercises(), solved=solved))  # type: ignore[no-untyped-call]
    return notebook


async def _here(
    notebooks: Mapping[Path, nbformat.NotebookNode], jobs: int, cell_timeout: int, done: Callable[..., NotebookResult]
) -> list[NotebookResult]:
    """Run notebooks on this computer, so many at once."""
    gate = asyncio.Semaphore(jobs)

    async def one(path: Path, notebook: nbformat.NotebookNode) -> NotebookResult:
        async with gate:
            start = time.monotonic()
            error = await run_notebook(notebook, path.name, path.absolute().parent, cell_timeout)
            return await asyncio.to_thread(done, path, notebook, error, time.monotonic() - start)

    return await asyncio.gather(*(one(*each) for each in notebooks.items()))


def _elsewhere(
    notebooks: Mapping[Path, nbformat.NotebookNode], pool: Executor, cell_timeout: int,
    done: Callable[..., NotebookResult],
) -> list[NotebookResult]:  # fmt: skip
    """Let others run notebooks; one that kills its workers has failed."""
    kernel = default_kernel()
    asked = {
        pool.submit(do_notebook, notebook_task(path, notebook, kernel, cell_timeout)): path
        for path, notebook in notebooks.items()
    }
    results = {}
    for future in as_completed(asked):
        path = asked[future]
        try:
            told = outcome(future)
            notebook = nbformat.from_dict(told["notebook"])  # type: ignore[no-untyped-call]
            results[path] = done(path, notebook, told["error"], told["seconds"])
        except WorkersDied as error:
            results[path] = done(path, notebooks[path], str(error), 0.0)
    return [results[path] for path in notebooks]


def write_index(results: Sequence[NotebookResult], out: Path) -> Path:
    """Write ``index.html``, a table of the notebooks' pages with links to those of other texts, and return its path."""
    rows = "\n".join(
        f'<tr><th scope="row"><a href="{html.escape(result.page.name)}">{html.escape(result.notebook.stem)}</a></th>'
        f"<td>{'passed' if result.ok else 'failed'}</td><td>{result.seconds:.1f} s</td></tr>"
        for result in results
    )
    texts = [path for path in texts_beside([result.notebook for result in results])
             if (out / f"{path.stem}.html").is_file() and path.stem != "index"]  # fmt: skip
    links = "".join(f'<p><a href="{html.escape(one.stem)}.html">{html.escape(one.stem)}</a></p>\n' for one in texts)
    page = out.absolute() / "index.html"
    page.write_text(
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Notebooks</title>\n'
        "<style>body{font:16px sans-serif;margin:2em}th,td{text-align:left;padding:.2em 1em}</style>\n"
        f'<table><caption>Notebooks</caption>\n<tr><th scope="col">Notebook</th><th scope="col">Result</th>'
        f'<th scope="col">Time</th></tr>\n{rows}\n</table>\n{links}</html>\n'
    )
    return page


def write_notebooks(results: Sequence[NotebookResult], folder: Path) -> None:
    """Write the notebooks with their outputs into a folder, under their own names.

    Raises:
        UsageError: it is the folder of one of the notebooks, which would lose its own text.
    """
    if any(folder.absolute() == result.notebook.absolute().parent for result in results):
        raise UsageError(f"write {folder}: it holds the notebooks themselves; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        nbformat.write(result.executed, folder / result.notebook.name)  # type: ignore[no-untyped-call]


def write_junit(results: Sequence[NotebookResult], file: Path) -> None:
    """Write a report in JUnit's XML form, one test case a notebook."""
    failed = sum(not result.ok for result in results)
    suite = ET.Element("testsuite", name="notebooks", tests=str(len(results)), failures=str(failed), errors="0")
    for result in results:
        case = ET.SubElement(
            suite, "testcase", classname="notebooks", name=result.notebook.stem, time=f"{result.seconds:.3f}"
        )
        if not result.ok:
            ET.SubElement(case, "failure", message=result.error.splitlines()[-1]).text = result.error
    file.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
