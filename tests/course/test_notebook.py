# SPDX-License-Identifier: MIT
"""Exercises as a learner meets them: cells of a notebook that build, check, ask for hints and bring versions back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import nbformat
import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import ensure_event_loop
from traitlets.config import Config

import kmodlab
import kmodlab.jupyter
from kmodlab.build.kernel import KernelBuild
from kmodlab.course.execute import execute
from kmodlab.course.exercise import Exercise, find_exercise
from kmodlab.course.learner import Learner
from kmodlab.errors import CompileError, UsageError

pytestmark = pytest.mark.machine

Cell = Callable[[str], tuple[ExecutionResult, CapturedIO]]


@pytest.fixture
def shell(frozen: KernelBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("KMODLAB_DATA", str(tmp_path))
    kmodlab.settings.cache_clear()
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    session = InteractiveShell.instance(config=config)
    kmodlab.jupyter.load(session)
    yield session
    kmodlab.jupyter.unload_ipython_extension(session)
    InteractiveShell.clear_instance()
    monkeypatch.undo()
    kmodlab.settings.cache_clear()


@pytest.fixture
def cell(shell: InteractiveShell) -> Cell:
    def run(text: str) -> tuple[ExecutionResult, CapturedIO]:
        with capture_output() as captured:
            result = shell.run_cell(text, store_history=True)
        return result, captured

    return run


@pytest.fixture(scope="module")
def exercise() -> Exercise:
    return find_exercise("bounded")


def test_from_the_skeleton_to_the_solution(shell: InteractiveShell, cell: Cell, exercise: Exercise) -> None:
    early, _ = cell('check("bounded")')
    assert isinstance(early.error_in_exec, UsageError)
    assert "%%kmod bounded" in str(early.error_in_exec)

    cell(f"%%kmod bounded\n{exercise.skeleton}")
    first, shown = cell('check("bounded")')
    assert (first.result.points, first.result.ok) == (0, False)
    assert "100 is the largest level" in shown.stdout
    looks, _ = shell.display_formatter.format(first.result)
    assert "100 is the largest level" in looks["text/plain"]
    assert looks["text/html"].startswith('<div role="group"')

    assert "Hint 2 of 2" in str(cell("%hint")[0].result)
    said = [str(cell("%hint")[0].result) for _ in range(3)]
    assert "Hint 2 of 2 for refuses_later" in said[0]
    assert said[1] == said[2]
    assert said[1].startswith("That was all")

    cell(f"%%kmod bounded\n{exercise.solution}")
    last, _ = cell('check("bounded")')
    assert last.result.ok
    assert "nothing to hint at" in str(cell("%hint")[0].result)
    course, _ = cell("check()")
    assert {row.id: row.state for row in course.result}["bounded"] == "done"


def test_what_does_not_compile_gets_no_points_and_the_compilers_words(cell: Cell, exercise: Exercise) -> None:
    cell(f"%%kmod bounded\n{exercise.solution}")
    broken, _ = cell(f"%%kmod bounded\n{exercise.solution.replace('return err;', 'return err')}")
    assert isinstance(broken.error_in_exec, CompileError)
    result, _ = cell('check("bounded")')
    assert (result.result.verdict, result.result.points) == ("build-error", 0)
    assert "In[2]" in result.result.checks[0].message


def test_every_version_of_a_cell_comes_back(shell: InteractiveShell, cell: Cell, exercise: Exercise) -> None:
    cell(f"%%kmod bounded\n{exercise.skeleton}")
    cell("%%kmod bounded\nthis is no C\n")
    rows, _ = cell("%kmod bounded --history")
    assert [row.number for row in rows.result] == [2, 1]
    cell("%kmod bounded --restore 1")
    assert shell.rl_next_input == f"%%kmod bounded\n{exercise.skeleton}"
    cell("%%kmod bounded --restore 2\nint edited_by_mistake;\n")
    assert shell.rl_next_input == "%%kmod bounded\nthis is no C\n"
    missing, _ = cell("%kmod bounded --restore 7")
    assert isinstance(missing.error_in_exec, UsageError)


def test_an_answer_survives_the_jupyter_kernel(shell: InteractiveShell, cell: Cell, exercise: Exercise) -> None:
    cell(f"%%kmod bounded\n{exercise.skeleton}")
    kmodlab.jupyter.unload_ipython_extension(shell)
    kmodlab.jupyter.load(shell)
    result, shown = cell('check("bounded")')
    assert result.result.points == 0
    assert "was not run since" in shown.outputs[0].data["text/plain"]


def test_a_record_that_cannot_be_kept_does_not_stop_the_work(
    shell: InteractiveShell, cell: Cell, exercise: Exercise
) -> None:
    record = kmodlab.settings().data / "learner.sqlite3"
    record.write_text("no database" * 1000)
    built, shown = cell(f"%%kmod bounded\n{exercise.skeleton}")
    assert built.success
    assert "history is not kept" in shown.outputs[0].data["text/plain"]
    assert cell('check("bounded")')[0].result.points == 0


@pytest.mark.parametrize(("solved", "points"), [(True, "5 of 5 points"), (False, "0 of 5 points")])
def test_a_notebook_is_run_with_solutions_or_with_skeletons(
    frozen: KernelBuild, tmp_path: Path, solved: bool, points: str
) -> None:
    cells = ["import kmodlab\n%load_ext kmodlab", "%%kmod bounded\nneither of both\n", 'check("bounded")']
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    (tmp_path / "lesson.ipynb").write_text(nbformat.writes(made))
    (result,) = execute([tmp_path / "lesson.ipynb"], tmp_path / "out", solved=solved)
    assert result.ok, result.error
    assert points in result.page.read_text()


@contextlib.contextmanager
def jupyter(folder: Path, data: Path) -> Iterator[tuple[Popen[bytes], BlockingKernelClient]]:
    """A Jupyter kernel of its own process, and a client of it."""
    manager = KernelManager(
        kernel_name="python3",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport="ipc",
        connection_file=str(folder / "kernel.json"),
    )
    home = str(Path(kmodlab.__file__).parents[1])
    manager.start_kernel(env={**os.environ, "KMODLAB_DATA": str(data), "IPYTHONDIR": str(folder), "PYTHONPATH": home})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive("%load_ext kmodlab", timeout=60, output_hook=lambda message: None)
        yield manager.provisioner.process, client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)
        ensure_event_loop().close()  # the one that Jupyter has made for this thread


@pytest.mark.slow
def test_a_cell_survives_its_jupyter_kernel_being_killed_while_it_builds(
    frozen: KernelBuild, tmp_path: Path, exercise: Exercise
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    learner = Learner(tmp_path / "data" / "learner.sqlite3")
    text = exercise.solution + "/* hours of work */\n"
    with jupyter(tmp_path / "one", tmp_path / "data") as (process, client):
        client.execute(f"%%kmod bounded --load\n{text}")
        deadline = time.monotonic() + 60
        while not (learner.path.exists() and learner.versions("bounded")):
            assert time.monotonic() < deadline
            os.sched_yield()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with jupyter(tmp_path / "two", tmp_path / "data") as (_, client):
        reply = client.execute_interactive("%kmod bounded --restore 1", timeout=60, output_hook=lambda message: None)
    (given,) = reply["content"]["payload"]
    assert (given["source"], given["text"]) == ("set_next_input", f"%%kmod bounded\n{text}")
