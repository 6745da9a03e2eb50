# SPDX-License-Identifier: MIT
"""The lab script, the lock file and what runs before there is an environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kmodlab.host import bootstrap
from kmodlab.progress import Step
from kmodlab.resources import resource

TOP = resource("tests").parent
LAB = TOP / "lab"


def lab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CI": "", **environment}
    return subprocess.run([LAB, *arguments], capture_output=True, text=True, env=env, check=False)


def test_the_lock_names_no_host_and_pins_all_with_hashes() -> None:
    text = bootstrap.LOCK.read_text()
    assert not re.search(r"://|--(?:extra-)?index|--find-links|--trusted-host|@ file", text)
    entries = re.findall(r"^([A-Za-z0-9][\w.-]*)(.*?)(?=^\S|\Z)", text, re.M | re.S)
    assert len(entries) > 50
    for name, rest in entries:
        assert rest.startswith("=="), name
        assert "--hash=sha256:" in rest, name


def test_the_lock_holds_every_dependency() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    names = {re.split(r"[<>=!~ ;]", entry)[0].lower().replace(".", "-").replace("_", "-") for entry in wanted}
    locked = set(re.findall(r"^([a-z0-9][\w-]*)==", bootstrap.LOCK.read_text(), re.M))
    assert not names - locked


def test_the_lock_knows_its_sizes_for_each_python() -> None:
    found = {line["python"]: int(line["megabytes"]) for line in bootstrap._SIZES.finditer(bootstrap.LOCK.read_text())}
    assert set(found) == {"3.11", "3.12", "3.13"}
    assert all(20 < size < 300 for size in found.values())


@pytest.mark.checkout
def test_what_makes_the_environment_needs_nothing_installed() -> None:
    """-I and -S: no packages but Python's own library."""
    code = f"import sys; sys.path.insert(0, {str(TOP)!r}); import kmodlab.host.bootstrap"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_pip_s_lines_become_progress() -> None:
    now = Step("x", 1e8, "B")
    watch = bootstrap._Watcher(now)
    watch(b"Collecting a\n  Downloading a-1-py3-none-any.whl (1.5 MB)\n  Downloading b-1.tar.gz (12 k")
    watch(b"B)\nInstalling collected packages: a, b\n")
    assert watch.bytes == now.done == 1_512_000
    assert watch.fetching > 0


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            "WARNING: Retrying … Max retries exceeded\nERROR: No matching distribution found for anyio==4\n",
            "check the network",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", "(ENOSPC)"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES from https://u:p@h.invalid/x\n", "DO NOT MATCH THE HASHES"),
        ("", "pip failed"),
    ],
)
def test_what_pip_complains_of_becomes_one_sentence(text: str, part: str, tmp_path: Path) -> None:
    error = str(bootstrap._error(text, tmp_path))
    assert part in error
    assert "u:p@" not in error


@pytest.mark.checkout
def test_no_python_that_is_new_enough(tmp_path: Path) -> None:
    for name in ("sh", "readlink", "dirname", "cat", "cut", "sha256sum"):
        program = next(path for base in ("/usr/bin", "/bin") if (path := Path(base) / name).exists())
        (tmp_path / name).symlink_to(program)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 0\n")
    old.chmod(0o755)
    finished = lab("doctor", PATH=str(tmp_path))
    assert finished.returncode == 3
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1
    assert "Python 3.11" in finished.stderr


@pytest.mark.checkout
def test_remove_needs_no_environment(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert lab("setup", "--remove", KMODLAB_CACHE=str(cache)).returncode == 0
    cache.mkdir()
    (cache / "mine").write_text("x")
    finished = lab("setup", "--remove", KMODLAB_CACHE=str(cache))
    assert finished.returncode == 3
    assert "nothing marks it as kmodlab's" in finished.stderr
    assert (cache / "mine").exists()


@pytest.mark.checkout
def test_a_cache_that_holds_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    finished = lab("doctor", KMODLAB_CACHE=str(tmp_path))
    assert finished.returncode == 3
    assert "KMODLAB_CACHE" in finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
