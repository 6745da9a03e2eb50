# SPDX-License-Identifier: MIT
"""Runs one notebook to its end, in a Jupyter kernel of its own that knows nothing of the user's settings."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat

import kmodlab
from kmodlab.progress import step

__all__ = ["run_notebook"]

# When Python ends, it searches all that it holds for circles, twice: a third of a second where matplotlib is loaded.
# What is frozen is left out, and goes by its reference count as ever.
_SHORT_END = "--IPKernelApp.exec_lines=__import__('atexit').register(__import__('gc').freeze) and None"


async def run_notebook(notebook: nbformat.NotebookNode, name: str, folder: Path, cell_timeout: int) -> str:
    """Run a notebook's cells up to the first that fails; the outputs stand in it then.

    Args:
        notebook: as nbformat has read it; it is changed.
        name: what it is called where its progress is shown.
        folder: the working folder.
        cell_timeout: seconds that a cell may take.

    Returns:
        What the failing cell said, as text without colours; empty if all went well.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from kmodlab.course.client import manager

    with tempfile.TemporaryDirectory(prefix="kmodlab-") as private:
        client = NotebookClient(
            notebook,
            km=manager(Path(private)),
            timeout=cell_timeout,
            store_widget_state=False,
            extra_arguments=[_SHORT_END],
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        try:
            with step(f"Running {name}", total=len(notebook.cells), unit="cells") as now:
                client.on_cell_complete = lambda **cell: now.reach(cell["cell_index"] + 1)
                await client.async_execute(env=_environment(Path(private)), cleanup_kc=True)
        except CellExecutionError as failure:
            return _without_colours(str(failure)).strip()
        except CellTimeoutError:
            return f"a cell took longer than {cell_timeout} s"
        except DeadKernelError as failure:
            return f"the Jupyter kernel ended: {failure}"
    return ""


def _environment(private: Path) -> dict[str, str]:
    home = str(Path(kmodlab.__file__).parent.parent)
    paths = [home, *(path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != home)]
    # Who runs notebooks by the dozen is no learner: the record of the one whose computer this is stays as it was.
    places = {name: str(private) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "KMODLAB_DATA")}
    return {**os.environ, **places, "PYTHONPATH": os.pathsep.join(paths)}


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
