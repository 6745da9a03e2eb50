# SPDX-License-Identifier: MIT
"""The cache folder: claimed, locked, taken away, and nothing else taken away with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kmodlab.errors import HostSetupError
from kmodlab.host import state


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "cache"
    state.claim(folder)
    return folder


def test_a_claimed_folder_is_marked_as_a_cache(cache: Path) -> None:
    text = (cache / state.MARKER).read_text()
    assert text.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    state.claim(cache)
    assert [path.name for path in cache.iterdir()] == [state.MARKER]


def test_a_folder_with_other_things_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(HostSetupError, match=r"thesis\.tex"):
        state.claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostSetupError, match=r"Not a directory \(ENOTDIR\); set KMODLAB_CACHE"):
        state.claim(tmp_path / "file" / "cache")


def test_removing_takes_everything_and_follows_no_link(cache: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (cache / "images" / "tree").mkdir(parents=True)
    (cache / "images" / "tree" / "file").write_bytes(bytes(10_000))
    (cache / "images" / "link").symlink_to(outside)
    (cache / "kernels").symlink_to(outside)
    (cache / "images" / "tree").chmod(0o500)
    assert state.remove(cache) >= 10_000
    assert not cache.exists()
    assert (outside / "precious").read_text() == "x"
    assert state.remove(cache) == 0


def test_a_read_only_tree_is_removed_by_an_ordinary_user_too(cache: Path) -> None:
    (cache / "images" / "a" / "b").mkdir(parents=True)
    (cache / "images" / "a" / "b" / "file").write_text("x")
    (cache / "images" / "a" / "b").chmod(0o500)
    (cache / "images" / "a").chmod(0o500)
    code = f"from pathlib import Path; from kmodlab.host import state; state.remove(Path({str(cache)!r}))"
    argv = [sys.executable, "-c", code]
    if os.geteuid() == 0:  # root without what lets it pass by permissions
        argv = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *argv]
    subprocess.run(argv, check=True, capture_output=True)
    assert not cache.exists()


@pytest.mark.parametrize("mark", [None, "", "Signature: 8a477f597d28d172789f06886806bc55\n# made by another program\n"])
def test_a_folder_that_is_not_ours_is_not_removed(tmp_path: Path, mark: str | None) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("x")
    if mark is not None:
        (folder / state.MARKER).write_text(mark)
    with pytest.raises(HostSetupError, match="nothing marks it as kmodlab's"):
        state.remove(folder)
    assert (folder / "file").exists()


def test_a_link_is_not_removed(cache: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(cache)
    with pytest.raises(HostSetupError, match="symbolic link"):
        state.remove(link)
    assert cache.exists()


def test_a_lock_keeps_others_out_and_goes_with_its_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    code = f"""
import sys
from pathlib import Path
from kmodlab.host.state import locked
with locked(Path({str(lock)!r}), "testing"):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        other.kill()
        other.wait()
    with state.locked(lock, "testing"):
        pass
    assert capsys.readouterr().err == ""


def test_too_little_room_is_said_with_numbers(tmp_path: Path) -> None:
    state.need_room(tmp_path / "not" / "yet", 1, "a test")
    with pytest.raises(HostSetupError, match=r"ENOSPC.*1000000\.0 GB are needed in .*yet and .* free.*KMODLAB_CACHE"):
        state.need_room(tmp_path / "not" / "yet", 10**15, "a test")


def test_every_folder_that_a_part_makes_in_the_cache_is_known_as_ours() -> None:
    package = Path(state.__file__).parents[1]
    texts = [path.read_text() for path in package.rglob("*.py") if "resources" not in path.parts]
    named = {name for text in texts for name in re.findall(r'\bcache / "([\w.]+)"', text)}
    assert {"kernels", "modules"} < named
    assert named <= state._OURS
