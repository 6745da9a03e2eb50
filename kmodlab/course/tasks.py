# SPDX-License-Identifier: MIT
"""One piece of work as plain text: JSON in, JSON out, so that it may be done by any process on any computer.

An answer travels as the text of its C, with the texts of its exercise; a notebook with the texts beside it. So a worker
uses what the one who asks has, hidden checks included, and of its own only its set-up, which must be the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import cache as once
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.sandbox import choose_shut
from kmodlab.course.examine import examine, nothing_to_examine
from kmodlab.course.exercise import Exercise, read_exercise
from kmodlab.course.results import ExerciseResult
from kmodlab.course.running import run_notebook
from kmodlab.errors import HostSetupError, KmodlabError, UsageError
from kmodlab.host import kernels

__all__ = ["answer_task", "checker_key", "do_answer", "do_notebook", "notebook_task"]

_LARGEST = 1 << 20  # bytes of one file that goes along
_MOST = 8 << 20  # bytes of all of them
_LEFT_OUT = {".ipynb", ".png", ".svg", ".ko", ".o"}


@once
def checker_key() -> str:
    """Return a hash of the machinery that examines."""
    here = Path(__file__).parent
    names = ("checks.py", "trial.py", "examine.py", "calls.c")
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in names)).hexdigest()


# -- Answers ----------------------------------------------------------------------------------------------------------


def answer_task(exercise: Exercise, text: str, kernel: KernelBuild, seed: str) -> str:
    """Return what `do_answer` needs to examine an answer.

    Args:
        exercise: that it answers.
        text: the student's C.
        kernel: to build for and to run.
        seed: what checks draw at random is drawn from it.
    """
    files = _texts(exercise.folder, (path for path in exercise.folder.iterdir() if path.name != "wrong.toml"))
    return json.dumps({"needs": _needs(kernel), "files": files, "answer": text, "seed": seed})


def do_answer(task: str) -> str:
    """Examine an answer; a failure of the lab is tried once more, and then told as such.

    Returns:
        ``{"worker", "result"}``, or ``{"worker", "unready"}`` with a sentence where nothing can be examined.
    """
    given = json.loads(task)
    try:
        kernel = _meet(given["needs"])
        choose_shut()
    except KmodlabError as error:
        return _told(unready=str(error))
    with tempfile.TemporaryDirectory(prefix="kmodlab-") as place:
        _lay_out(given["files"], Path(place))
        exercise = read_exercise(Path(place))
        return _told(result=_examined(exercise, given["answer"], kernel, given["seed"]).to_dict())


def _examined(exercise: Exercise, text: str, kernel: KernelBuild, seed: str) -> ExerciseResult:
    try:
        source = exercise.source(text)
    except UsageError as error:
        return nothing_to_examine(exercise, None, "build-error", str(error))
    for attempt in (1, 2):
        try:
            return examine(exercise, source, kernel, seed=seed)
        except KmodlabError as error:
            if attempt == 2:
                return nothing_to_examine(exercise, None, "lab-failed", f"not graded, the lab failed: {error}")
    raise AssertionError("unreachable")


# -- Notebooks --------------------------------------------------------------------------------------------------------


def notebook_task(path: Path, notebook: Mapping[str, Any], kernel: KernelBuild, cell_timeout: int) -> str:
    """Return what `do_notebook` needs to run a notebook.

    Args:
        path: where it lies; what lies beside it, and the modules of its course, go along.
        notebook: its content, with solutions or skeletons put in if that is wanted.
        kernel: that it will use.
        cell_timeout: seconds that a cell may take.

    Raises:
        UsageError: there lies too much.
    """
    folder = path.absolute().parent
    found = {f"{folder.name}/{name}": text for name, text in _texts(folder, folder.iterdir()).items()}
    modules = folder.parent / "lab_modules"
    if modules.is_dir():
        found |= {f"lab_modules/{name}": text for name, text in _texts(modules, modules.glob("*/*")).items()}
    place = f"{folder.name}/{path.name}"
    facts = {"needs": _needs(kernel), "notebook": notebook, "place": place, "files": found, "timeout": cell_timeout}
    return json.dumps(facts)


def do_notebook(task: str) -> str:
    """Run a notebook.

    Returns:
        ``{"worker", "notebook", "error", "seconds"}``, or ``{"worker", "unready"}``.
    """
    given = json.loads(task)
    try:
        kernel = _meet(given["needs"])
        if kernels.default_kernel() != kernel:
            raise HostSetupError(f"run notebooks: their kernel {kernel.release} is not the default one here")
    except KmodlabError as error:
        return _told(unready=str(error))
    with tempfile.TemporaryDirectory(prefix="kmodlab-") as place:
        _lay_out(given["files"], Path(place))
        start = time.monotonic()
        notebook = nbformat.from_dict(given["notebook"])  # type: ignore[no-untyped-call]
        path = Path(place, given["place"])
        path.parent.mkdir(exist_ok=True)
        words = asyncio.run(run_notebook(notebook, path.name, path.parent, given["timeout"]))
    return _told(notebook=notebook, error=words, seconds=time.monotonic() - start)


# -- Both -------------------------------------------------------------------------------------------------------------


def _needs(kernel: KernelBuild) -> dict[str, str]:
    """What must be the same here and there, or else the results need not be."""
    return {
        "kmodlab": kmodlab.__version__, "checker": checker_key(), "release": kernel.release, "version": kernel.version,
    }  # fmt: skip


def _meet(needs: Mapping[str, str]) -> KernelBuild:
    """Return the kernel that is asked for.

    Raises:
        HostSetupError: it is not set up here, or this is another kmodlab.
    """
    if (needs["kmodlab"], needs["checker"]) != (kmodlab.__version__, checker_key()):
        raise HostSetupError(
            f"work for kmodlab {needs['kmodlab']}: this is {kmodlab.__version__}, or another state of it; "
            "install the same here"
        )
    kernel = kernels.find_kernel(needs["release"], needs["version"])
    if kernel is None:
        wanted = f"{needs['release']} ({needs['version']})"
        raise HostSetupError(f"work with kernel {wanted}: not set up here; ./lab setup, or ./lab kernels --add")
    return kernel


def _told(**facts: object) -> str:
    return json.dumps({"worker": f"{socket.gethostname()}, process {os.getpid()}", **facts})


def _texts(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """The texts among files, by their path within a folder.

    Raises:
        UsageError: they are too many.
    """
    found: dict[str, str] = {}
    for path in sorted(paths):
        if path.is_file() and path.suffix not in _LEFT_OUT and path.stat().st_size <= _LARGEST:
            try:
                found[path.relative_to(folder).as_posix()] = path.read_text()
            except UnicodeDecodeError:
                continue
    if sum(map(len, found.values())) > _MOST:
        raise UsageError(f"send {folder} to a worker: more than {_MOST >> 20} MiB of texts lie there; move some away")
    return found


def _lay_out(files: Mapping[str, str], place: Path) -> None:
    for name, text in files.items():
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts:
            raise UsageError(f"lay out {name}: it leads out of its folder")
        path = place.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
