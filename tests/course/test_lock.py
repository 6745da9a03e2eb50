# SPDX-License-Identifier: MIT
"""A course's lock: written, compared, updated; a difference is named and, if asked for, an error."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.course import lock
from kmodlab.course.lock import Lock
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.host import kernels, setup

LOCKED = Lock(
    "0.1.0", "0123456789abcdef", "Debian bookworm", "6.1.0-1-amd64", "6.1.1-1", "gcc 12", ("bash=5.2", "kmod=30")
)


def differs(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: object) -> str:
    """What is said where the lock holds `LOCKED`, and this is here with some changes."""
    (folder / lock.NAME).write_text(str(LOCKED))
    here = dataclasses.replace(LOCKED, **changes)  # type: ignore[arg-type]
    monkeypatch.setattr(lock, "present", lambda kernel=None: here)
    return lock.mismatch(folder / lock.NAME)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / lock.NAME).write_text(str(LOCKED))
    assert lock.read_lock(tmp_path / lock.NAME) == LOCKED
    assert lock.find_lock(tmp_path) == tmp_path / lock.NAME
    assert lock.find_lock(tmp_path / "other") is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"release": "6.1.0-2-amd64", "version": "6.1.2-1"},
         "kernel 6.1.0-1-amd64 (6.1.1-1), and 6.1.0-2-amd64 (6.1.2-1) is used; ./lab setup --lock "),
        ({"version": "6.1.1-2"}, "kernel 6.1.0-1-amd64 (6.1.1-1), and 6.1.0-1-amd64 (6.1.1-2) is used"),
        ({"compiler": "gcc 14"}, "the compiler gcc 12, and gcc 14 is here"),
        ({"compiler": ""}, ""),
        ({"guest": ("bash=5.3", "kmod=30")}, "the guest's bash 5.2, and 5.3 is in its image"),
        ({"guest": ("less=1", "kmod=31")}, "the guest's bash 5.2 (and 2 more), and none is in its image"),
        ({"guest": ()}, ""),
        ({"kmodlab": "0.2.0", "python": "x"}, "kmodlab 0.1.0, and this is 0.2.0; use kmodlab 0.1.0"),
        ({"python": "x"}, "the Python packages of list 0123456789abcdef, and this kmodlab has x"),
        ({"system": "Debian trixie", "release": "6.12", "compiler": "gcc 14"},
         "Debian bookworm, and this is Debian trixie; use a machine with Debian bookworm"),
    ],
)  # fmt: skip
def test_each_difference_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: str
) -> None:
    said = differs(monkeypatch, tmp_path, **changes)
    assert words in said
    assert bool(said) == bool(words)
    assert "\n" not in said
    if "system" in changes:
        assert "gcc" not in said


@pytest.mark.parametrize("text", ["", "form = 2\n", "form = [", str(LOCKED).replace('"6.1.1-1"', "7"), "\0"])
def test_a_damaged_lock_is_said_so(tmp_path: Path, text: str) -> None:
    (tmp_path / lock.NAME).write_text(text)
    with pytest.raises(UsageError, match="kmodlab lock writes it anew"):
        lock.read_lock(tmp_path / lock.NAME)


def test_it_is_said_or_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = differs(monkeypatch, tmp_path, version="6.1.1-2")
    lock.hold([tmp_path, tmp_path, tmp_path / "other"], insist=False)
    assert capsys.readouterr().err == f"kmodlab: {words}\n"
    with pytest.raises(HostSetupError, match="go by the lock: "):
        lock.hold([tmp_path], insist=True)


# -- With what is really here -----------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course of one notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import kmodlab")])
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "one.ipynb").write_text(nbformat.writes(notebook))
    return tmp_path


def command(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kmodlab", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.machine
@pytest.mark.build
def test_a_course_is_locked_to_what_is_here_and_a_difference_is_named(frozen: KernelBuild, course: Path) -> None:
    file = course / "notebooks" / lock.NAME
    assert command("lock", "--check", course, cwd=course).returncode == 2
    done = command("lock", course, cwd=course)
    assert (done.returncode, done.stdout) == (0, f"{file}\n"), done.stderr
    assert command("lock", "--check", course, cwd=course).returncode == 0
    held = lock.read_lock(file)
    assert (held.release, held.version) == (frozen.release, frozen.version)
    assert "gcc" in held.compiler
    assert any(one.startswith("kmod=") for one in held.guest)
    pages = ("--out", course / "pages")
    assert command("execute", course / "notebooks", "--locked", *pages, cwd=course).returncode == 0

    file.write_text(str(dataclasses.replace(held, version="6.1.0-0")))
    words = f"kernel {held.release} (6.1.0-0), and {held.release} ({held.version}) is used"
    assert words in command("lock", "--check", course, cwd=course).stdout
    done = command("execute", course / "notebooks", *pages, cwd=course)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(words) == 1
    done = command("execute", course / "notebooks", "--locked", *pages, cwd=course)
    assert done.returncode == 3
    assert words in done.stderr
    by_name = {one["name"]: one for one in json.loads(command("doctor", "--json", cwd=course).stdout)["checks"]}
    assert words in by_name[lock.NAME]["found"]


@pytest.fixture
def own_cache(frozen: KernelBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with the real kernel, as links, and package lists of its own; its default is written in it."""
    folder = tmp_path / "cache"
    (folder / "kernels").mkdir(parents=True)
    place = frozen.root.parent
    (folder / "kernels" / place.name).symlink_to(place)
    monkeypatch.setenv("KMODLAB_CACHE", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


@pytest.mark.machine
def test_the_locked_kernel_becomes_the_default(frozen: KernelBuild, own_cache: Path) -> None:
    with pytest.raises(HostSetupError):
        kernels.default_kernel()
    stage = setup.kernel_stage((frozen.release, frozen.version))
    assert not stage.ready()
    assert stage.announce() == f"Kernel {frozen.release} ({frozen.version}), as the course's lock asks (no download)"
    stage.make()
    assert stage.ready()
    assert kernels.default_kernel().version == frozen.version
    other = setup.kernel_stage((frozen.release, "6.1.0-0"), insist=True)
    assert not other.ready()
    assert setup.kernel_stage((frozen.release, "6.1.0-0")).ready()


@pytest.mark.machine
def test_a_locked_kernel_that_is_gone_is_told_and_another_one_serves(
    frozen: KernelBuild, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernels._write_json(own_cache / "kernels" / "default.json", {"folder": frozen.root.parent.name})
    stage = setup.kernel_stage((frozen.release, "6.1.0-0"), insist=True)
    assert stage.announce() == f"Kernel {frozen.release} (6.1.0-0), as the course's lock asks"
    stage.make()
    assert kernels.default_kernel().version == frozen.version
    said = capsys.readouterr().err
    assert f"the locked kernel {frozen.release} (6.1.0-0) cannot be had: " in said
    assert said.endswith("another one serves\n")
