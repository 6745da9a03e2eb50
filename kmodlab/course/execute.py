# SPDX-License-Identifier: MIT
"""Runs notebooks headless and keeps each as an HTML page that needs nothing from a network."""

from __future__ import annotations

import asyncio
import html
import os
import re
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

import kmodlab
from kmodlab.course.cells import fill
from kmodlab.course.exercise import find_exercises
from kmodlab.course.pages import texts_beside, write_page, write_text_page
from kmodlab.errors import UsageError
from kmodlab.progress import step

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
    watch: Callable[[NotebookResult], object] = lambda result: None,
) -> list[NotebookResult]:
    """Run notebooks, each in a Jupyter kernel of its own with its own folder as the working folder.

    The notebooks' files stay as they are. The user's own IPython and Jupyter settings play no part.

    Args:
        notebooks: their paths; names must differ, since the pages are named after them.
        out: the folder for the pages.
        jobs: how many run at once.
        cell_timeout: seconds that a cell may take.
        solved: put the solutions into the cells of exercises, or (false) the skeletons; None leaves them as they are.
        watch: called with each result as soon as it is there.

    Markdown files beside the notebooks, such as the glossary, become pages as well.

    Raises:
        UsageError: two have the same name, or one is not a notebook.
    """
    names = [path.stem for path in notebooks]
    if len(set(names)) < len(names):
        raise UsageError("execute: two notebooks have the same name; run them one after the other with another --out")
    out.mkdir(parents=True, exist_ok=True)
    texts = {path.stem: path for path in texts_beside(notebooks) if path.stem not in {*names, "index"}}
    pages = {path.name for path in (*notebooks, *texts.values())}
    results = asyncio.run(_execute_all(notebooks, out.absolute(), jobs, cell_timeout, solved, pages, watch))
    for name, text in texts.items():
        write_text_page(text, out.absolute() / f"{name}.html", pages)
    return results


async def _execute_all(
    notebooks: Sequence[Path],
    out: Path,
    jobs: int,
    cell_timeout: int,
    solved: bool | None,
    pages: Collection[str],
    watch: Callable[[NotebookResult], object],
) -> list[NotebookResult]:
    gate = asyncio.Semaphore(jobs)

    async def one(path: Path) -> NotebookResult:
        async with gate:
            result = await _execute_one(path, cell_timeout, solved, out / f"{path.stem}.html", pages)
            watch(result)
            return result

    return await asyncio.gather(*map(one, notebooks))


async def _execute_one(
    path: Path, cell_timeout: int, solved: bool | None, page: Path, pages: Collection[str]
) -> NotebookResult:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (ValueError, OSError) as failure:
        raise UsageError(f"execute {path}: {failure}; is it a notebook?") from failure
    if solved is not None:
        notebook = nbformat.from_dict(fill(notebook, find_exercises(), solved=solved))  # type: ignore[no-untyped-call]
    start, error = time.monotonic(), ""
    with tempfile.TemporaryDirectory(prefix="kmodlab-") as private:
        client = NotebookClient(
            notebook,
            km=_kernel_manager(Path(private)),
            timeout=cell_timeout,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.absolute().parent)}},
        )
        try:
            with step(f"Running {path.name}", total=len(notebook.cells), unit="cells") as now:
                client.on_cell_complete = lambda **cell: now.reach(cell["cell_index"] + 1)
                await client.async_execute(env=_environment(Path(private)), cleanup_kc=True)
        except CellExecutionError as failure:
            error = _without_colours(str(failure)).strip()
        except CellTimeoutError:
            error = f"a cell took longer than {cell_timeout} s"
        except DeadKernelError as failure:
            error = f"the Jupyter kernel ended: {failure}"
    seconds = time.monotonic() - start
    await asyncio.to_thread(write_page, notebook, page, path.stem, pages)
    return NotebookResult(path, page, not error, seconds, error, notebook)


def _kernel_manager(private: Path) -> Any:
    """A manager that knows only the Jupyter kernel of this very Python, whatever the user has put in its place.

    It talks to it over sockets in a private folder, which no other user of this computer can reach.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    return AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport="ipc",
        connection_file=str(private / "kernel.json"),
    )


def _environment(private: Path) -> dict[str, str]:
    home = str(Path(kmodlab.__file__).parent.parent)
    paths = [home, *(path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != home)]
    # Who runs notebooks by the dozen is no learner: the record of the one whose computer this is stays as it was.
    places = {name: str(private) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "KMODLAB_DATA")}
    return {**os.environ, **places, "PYTHONPATH": os.pathsep.join(paths)}


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


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
