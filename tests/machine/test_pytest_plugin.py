# SPDX-License-Identifier: MIT
"""The pytest plugin, as the maintainer of a module uses it: a suite of their own, in a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.cli.environment import child_environment
from kmodlab.resources import resource

pytestmark = [pytest.mark.machine, pytest.mark.build]

SUITE = """
import kmodlab

TRIP = '#include <linux/module.h>\\nint init_module(void) { WARN_ON(1); return 0; }\\nMODULE_LICENSE("GPL");\\n'

def test_remembers(kmod_machine, kmod_build, kmod_kernel):
    kmod_machine.insmod(kmod_build(MODULE), size=64)
    assert kmod_machine.check("echo hello > /dev/scribble; cat /dev/scribble").stdout == "hello\\n"
    assert kmod_machine.check("uname -r").stdout.strip() == kmod_kernel.release

def test_is_fresh_each_time(kmod_machine):
    assert "scribble" not in {row.name for row in kmod_machine.lsmod()}

def test_falls_short(kmod_machine, kmod_build):
    kmod_machine.insmod(kmod_build(MODULE), size=64)
    assert kmod_machine.check("wc -c < /dev/scribble").stdout == "1\\n"

def test_leaves_a_warning(kmod_machine, kmod_build):
    kmod_machine.insmod(kmod_build(kmodlab.ModuleSource.from_text("trip", TRIP)))

def test_wants_a_warning(kmod_machine, kmod_build):
    with kmod_machine.expect_oops():
        kmod_machine.run("echo c > /proc/sysrq-trigger")
"""


def pytest_of_a_maintainer(folder: Path, *arguments: str) -> str:
    """Run pytest in a folder with only our plugin, and return what it prints."""
    text = SUITE.replace("MODULE)", f"{str(resource('lab_modules') / 'scribble')!r})")
    (folder / "test_theirs.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    argv = [sys.executable, "-m", "pytest", "-p", "kmodlab.pytest_plugin", "-p", "no:cacheprovider", "-rA", *arguments]
    done = subprocess.run(argv, cwd=folder, env=child_environment(), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_a_suite_for_a_module(frozen: KernelBuild, tmp_path: Path) -> None:
    printed = pytest_of_a_maintainer(tmp_path)
    for name in ("remembers", "is_fresh_each_time", "wants_a_warning"):
        assert f"PASSED test_theirs.py::test_{name}\n" in printed
    assert "FAILED test_theirs.py::test_falls_short - AssertionError" in printed
    short = printed.partition("test_falls_short")[2].partition("short test summary")[0]
    assert "Kernel log" in short and "scribble: /dev/scribble holds 64 bytes" in short
    assert "ERROR test_theirs.py::test_leaves_a_warning" in printed
    assert "the kernel reported: WARNING in " in printed and "(trip.c:2 in init_module)" in printed


def test_with_each_of_several_kernels(frozen: KernelBuild, tmp_path: Path) -> None:
    chosen = ["--kmod-kernel", frozen.release]
    assert f"PASSED test_theirs.py::test_remembers[{frozen.release}]" in pytest_of_a_maintainer(
        tmp_path, *chosen, "-k", "remembers"
    )
