# SPDX-License-Identifier: MIT
"""The wheel: the same whoever builds it, whole, and enough for the tour away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.host.bootstrap import pip_wheel
from kmodlab.resources import checkout

pytestmark = [pytest.mark.slow, pytest.mark.checkout, pytest.mark.notebook, pytest.mark.machine]

_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "out", "dist", "build-*")


def clean_environment() -> dict[str, str]:
    """The environment of a user who has only installed the wheel."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}


def pip(python: Path, *arguments: str | Path) -> None:
    argv = [python, "-I", pip_wheel(kmodlab.settings().cache) / "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(argv, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def make_wheel(source: Path, place: Path) -> Path:
    """Copy a source and build its wheel, with the times and rights that files have here and now."""
    shutil.copytree(source, place / "source", ignore=_LEFT_OUT, copy_function=shutil.copy)
    pip(Path(sys.executable), "wheel", "--no-deps", "--no-cache-dir", "-w", place / "wheel", place / "source")
    (wheel,) = (place / "wheel").iterdir()
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = checkout()
    assert top
    return make_wheel(top, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_the_same_whoever_builds_it(wheel: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = make_wheel(wheel.parents[1] / "source", tmp_path)
    finally:
        os.umask(before)
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_every_part_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    parts = ("vm/agent/main.c", "lab_modules/hello/hello.c", "notebooks/00_tour.ipynb", "tests/conftest.py")
    assert {f"kmodlab/resources/{part}" for part in parts} | {"kmodlab/py.typed"} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", ".ko", ".o")) or "/." in name]
    extension = [name for name in names if name.endswith("labextensions/kmodlab/package.json")]
    assert len(extension) == 1 and "/data/share/jupyter/" in extension[0]


def test_the_tour_runs_from_the_wheel(frozen: KernelBuild, wheel: Path, tmp_path: Path) -> None:
    environment, away = tmp_path / "environment", tmp_path / "away"
    away.mkdir()
    venv.create(environment, symlinks=True)
    pip(environment / "bin" / "python", "install", "--no-cache-dir", "--progress-bar", "off", wheel)

    def run(*arguments: str) -> str:
        argv = [environment / "bin" / "kmodlab", *arguments]
        done = subprocess.run(argv, cwd=away, env=clean_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout.strip()

    page = away / run("tour").splitlines()[-1]
    assert "<img" in page.read_text()
    assert run("new", "mine", "--kind", "char") == "mine"
    assert '"verdict": "clean"' in run("try", "mine", "--json")
    assert run("init", "course") == "course"
    assert (away / "course" / "notebooks" / "00_tour.ipynb").is_file()
