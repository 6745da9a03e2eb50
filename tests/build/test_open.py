# SPDX-License-Identifier: MIT
"""Where no sandbox can be had: one's own code is built after a warning, and what others wrote is not built at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.build.sandbox import Job
from kmodlab.build.sandbox import open as unshut
from kmodlab.build.source import ModuleSource
from kmodlab.course.exercise import find_exercises
from kmodlab.resources import resource
from kmodlab.verdict import Evidence, judge
from kmodlab.verdict.capsule import Settings, write_capsule

pytestmark = pytest.mark.build

WARNING = "kmodlab: builds are not shut in here: "
REFUSED = "build what others wrote: there is no compile sandbox here: bwrap: "


def refused(*arguments: str | Path, landlock: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a verb in a process to which the kernel refuses namespaces, and Landlock or not."""
    script = resource("tests") / "refused.py"
    argv = [sys.executable, script, *(["--landlock"] if landlock else []), sys.executable, "-m", "kmodlab", *arguments]
    environment = {**os.environ, "KMODLAB_SANDBOX": "auto"}
    return subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)


def test_doctor_says_that_there_is_none_and_why(kernel: KernelBuild) -> None:
    done = refused("doctor", "--json")
    (check,) = [each for each in json.loads(done.stdout)["checks"] if each["name"] == "compile sandbox"]
    assert (done.returncode, check["ok"]) == (3, False)
    assert "reaches your files and your network" in check["found"]
    assert check["needed_for"] == "grading, and building what others wrote"
    assert "bwrap: " in check["mend"]
    assert "Landlock: Operation not permitted" in check["mend"]


def test_doctor_says_that_landlock_serves_and_what_it_lacks(kernel: KernelBuild) -> None:
    checks = json.loads(refused("doctor", "--json", landlock=False).stdout)["checks"]
    (check,) = [each for each in checks if each["name"] == "compile sandbox"]
    assert check["ok"]
    assert check["found"].startswith("Landlock (version ")
    assert "its size and its times" in check["found"]


def test_own_code_is_built_after_one_warning(kernel: KernelBuild, tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(
        '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nstatic int __init a(void) { return 0; }\nmodule_init(a);\n'
        f"/* {os.urandom(8).hex()}, so that it is not in the cache */\n"
    )
    done = refused("build", tmp_path / "mine.c", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["ok"], found["how"]) == (True, "fast")
    assert done.stderr.count(WARNING) == 1


def test_what_others_wrote_is_refused_in_one_sentence(kernel: KernelBuild, tmp_path: Path) -> None:
    exercise = find_exercises(resource("lab_modules"))[0]
    (tmp_path / "handed_in").mkdir()
    (tmp_path / "handed_in" / f"{exercise.module}.c").write_text(exercise.text)
    hello = ModuleSource.from_path(resource("lab_modules") / "hello")
    verdict = judge("hello", Evidence(("hello",), kernel.release))
    write_capsule(tmp_path / "hello.zip", hello, Settings(kernel.release), verdict)
    for verb in (
        ("grade", tmp_path / "handed_in"),
        ("replay", tmp_path / "hello.zip"),
        ("worker", "tcp://127.0.0.1:9"),
    ):
        done = refused(*verb)
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"kmodlab: {REFUSED}"), done.stderr
        assert "Landlock: Operation not permitted" in last


def test_a_worker_that_cannot_shut_in_says_that_it_is_not_ready(kernel: KernelBuild) -> None:
    """One that was started in another way than by the verb."""
    lines = (
        "from kmodlab.course.exercise import find_exercises",
        "from kmodlab.course.tasks import answer_task, do_answer",
        "from kmodlab.host.kernels import default_kernel",
        "from kmodlab.resources import resource",
        "one = find_exercises(resource('lab_modules'))[0]",
        "print(do_answer(answer_task(one, one.text, default_kernel(), 'seed')))",
    )
    script = str(resource("tests") / "refused.py")
    argv = [sys.executable, script, "--landlock", sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["unready"].startswith(REFUSED)


def test_root_can_be_made_to_change_nothing(tmp_path: Path) -> None:
    """Which is not a sandbox, and no more than what it says: everything can be read."""
    if os.geteuid() != 0:
        pytest.skip("a user's build is the user")
    if not (way := unshut.probe()).own_user:
        pytest.skip("this root may not become anybody else")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    mine.chmod(0o600)
    done = way.run(
        Job("try it", ("bash", "-c", f"cat {mine}; echo x >{mine}; touch {tmp_path}/new; kill -9 $PPID"), {})
    )
    assert done.output.startswith("mine")
    assert done.output.count("Permission denied") == 2
    assert (mine.read_text(), [path.name for path in tmp_path.iterdir()]) == ("mine", ["mine"])
