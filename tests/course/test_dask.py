# SPDX-License-Identifier: MIT
"""The work of grading and executing done by others: the same results, whoever dies meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.course import tasks
from kmodlab.course.executor import WorkersDied, check_executor, outcome
from kmodlab.course.exercise import find_exercise, find_exercises
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.resources import resource
from tests.conftest import gone
from tests.course.classroom import hand_in

BOUNDED = find_exercise("bounded", find_exercises(resource("lab_modules")))
LIMIT = 120.0  # seconds for whatever is waited for


@contextlib.contextmanager
def running(*arguments: str, until: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python module under way; gives it and the line with which it says that it is ready. Its end comes with ours."""
    argv = [sys.executable, "-u", "-m", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            line = next(line for line in process.stdout if until in line)
            yield process, line
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found.union(*map(descendants, found))


def program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def at_work(pid: int) -> tuple[int, set[int]]:
    """Wait for the process among a worker's that has a machine; return it and the machine's."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        for one in descendants(pid):
            machines = {below for below in descendants(one) if "qemu" in program(below)}
            if machines and "spawn_main" in program(one):
                return one, machines
        os.sched_yield()
    raise AssertionError("no machine was started")


@pytest.mark.machine
def test_a_worker_dies_and_nothing_is_lost(frozen: KernelBuild, tmp_path: Path) -> None:
    room = tmp_path / "class"
    hand_in(room / "right", ("bounded", BOUNDED.solution))
    for number, wrong in enumerate(BOUNDED.wrong_answers[:2]):
        hand_in(room / f"wrong-{number}", ("bounded", wrong.text))
    hand_in(room / "broken", ("bounded", "#error\n"))
    grade = ["grade", str(room), "--exercise", "bounded", "--json", "--again"]
    alone = subprocess.run([sys.executable, "-m", "kmodlab", *grade], capture_output=True, text=True, check=False)
    scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with contextlib.ExitStack() as stack:
        _, line = stack.enter_context(running(*scheduler, until="Scheduler at:"))
        address = line.split()[-1]
        work = ("kmodlab", "worker", address, "--jobs", "1")
        first, _ = stack.enter_context(running(*work, until="Registered to:"))
        stack.enter_context(running(*work, until="Registered to:"))
        argv = [sys.executable, "-m", "kmodlab", *grade, "--executor", f"dask={address}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            victim, machines = at_work(first.pid)
            os.kill(victim, signal.SIGKILL)
            out, said = process.communicate(timeout=LIMIT)
    assert all(map(gone, machines)), "its machine outlived it"
    assert process.returncode == alone.returncode == 1, said
    assert out == alone.stdout
    points = [each["points"] for each in json.loads(out)["submissions"]]
    assert points[1] == BOUNDED.points > max(points[2:])
    assert said.count("bounded: ") == len(points)


@pytest.mark.notebook
@pytest.mark.machine
def test_notebooks_run_on_workers_as_they_do_here(frozen: KernelBuild, tmp_path: Path) -> None:
    (tmp_path / "course" / "beside.txt").parent.mkdir()
    (tmp_path / "course" / "beside.txt").write_text("what lies beside it")
    for name, cells in {
        "good": ["import kmodlab\nwith kmodlab.Machine() as vm:\n    print(vm.check('uname -s').stdout)",
                 "print(open('beside.txt').read())"],
        "bad": ["1 / 0"],
    }.items():  # fmt: skip
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
        (tmp_path / "course" / f"{name}.ipynb").write_text(nbformat.writes(made))
    execute = ["execute", "course", "--executor", "dask", "--jobs", "2", "--out", "pages", "--junit", "junit.xml"]
    argv = [sys.executable, "-m", "kmodlab", *execute]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "passed course/good.ipynb" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    page = (tmp_path / "pages" / "good.html").read_text()
    assert "Linux" in page
    assert "what lies beside it" in page
    assert 'failures="1"' in (tmp_path / "junit.xml").read_text()


# -- Without workers --------------------------------------------------------------------------------------------------


@pytest.mark.machine
def test_a_worker_that_is_not_set_up_says_so(frozen: KernelBuild) -> None:
    task = json.loads(tasks.answer_task(BOUNDED, BOUNDED.solution, frozen, "seed"))
    release = re.escape(frozen.release)
    for change, words in (
        ({"version": "0.0-1"}, rf"work with kernel {release} \(0\.0-1\): not set up here; \./lab setup"),
        ({"kmodlab": "9.9"}, r"work for kmodlab 9\.9: this is .* install the same here"),
        ({"checker": "another"}, ".*this is .*, or another state of it"),
    ):
        told = json.loads(tasks.do_answer(json.dumps({**task, "needs": {**task["needs"], **change}})))
        assert set(told) == {"worker", "unready"}
        with pytest.raises(HostSetupError, match=f"use the worker on .*, process {os.getpid()}: {words}"):
            outcome(finished(json.dumps(told)))


def finished(value: str | Exception) -> Any:
    future: Future[str] = Future()
    if isinstance(value, str):
        future.set_result(value)
    else:
        future.set_exception(value)
    return future


def test_what_kills_its_workers_is_told_from_a_mistake() -> None:
    killed = type("KilledWorker", (Exception,), {"__module__": "distributed.scheduler"})
    with pytest.raises(WorkersDied, match="one worker after the other died of it"):
        outcome(finished(killed()))
    with pytest.raises(ZeroDivisionError):
        outcome(finished(ZeroDivisionError()))
    cancelled: Future[str] = Future()
    cancelled.cancel()
    with pytest.raises(HostSetupError, match="scheduler is gone"):
        outcome(cancelled)


@pytest.mark.parametrize("name", ["", "dusk", "local=here", "Dask"])
def test_executors_that_are_not_there(name: str) -> None:
    with pytest.raises(UsageError, match=r"say local, dask or dask=ADDRESS"):
        check_executor(name)


def test_what_travels_is_text_and_stays_in_its_folder(frozen: KernelBuild, tmp_path: Path) -> None:
    task = json.loads(tasks.answer_task(BOUNDED, "/* text */", frozen, "seed"))
    assert set(task["files"]) >= {"lab.toml", "checks.py", "bounded.c"}
    assert "wrong.toml" not in task["files"]
    tasks._lay_out({"a/b.c": "c"}, tmp_path)
    assert (tmp_path / "a" / "b.c").read_text() == "c"
    for name in ("../out", "/etc/out", "a/../../out"):
        with pytest.raises(UsageError, match="leads out of its folder"):
            tasks._lay_out({name: ""}, tmp_path)


@pytest.mark.slow
def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    hand_in(tmp_path / "class" / "anna", ("bounded", BOUNDED.skeleton))
    argv = [sys.executable, "-m", "kmodlab", "grade", str(tmp_path / "class"), "--exercise", "bounded", "--json"]
    done = subprocess.run([*argv, "--executor", "dask=tcp://127.0.0.1:1"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "reach dask's scheduler at tcp://127.0.0.1:1: " in done.stderr
    assert "Traceback" not in done.stderr
