# SPDX-License-Identifier: MIT
"""A cache that several share: used first, never written, and not believed where anybody could have written to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmodlab import shared
from kmodlab.build.cache import Store
from kmodlab.config import settings
from kmodlab.host import kernels
from tests.unit.test_kernels import make


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The shared cache; the own one beside it is called ``own``."""
    monkeypatch.setenv("KMODLAB_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("KMODLAB_SHARED_CACHE", str(tmp_path / "theirs"))
    monkeypatch.setattr(shared, "_passed_over", set())
    settings.cache_clear()
    (tmp_path / "theirs").mkdir()
    yield tmp_path / "theirs"
    settings.cache_clear()


@pytest.fixture
def own(theirs: Path) -> Path:
    return theirs.with_name("own")


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that is in a folder, with times."""
    facts = {path: path.stat() for path in folder.rglob("*")}
    return {
        str(path): (one.st_mode, one.st_mtime_ns, b"" if path.is_dir() else path.read_bytes())
        for path, one in facts.items()
    }


def test_an_entry_is_found_there_and_nothing_is_written(theirs: Path, own: Path) -> None:
    Store(theirs / "recipes").put("key", {"file": b"content"}, {"note": 1})
    before = everything(theirs)
    store = Store(own / "recipes")
    entry = store.get("key")
    assert entry is not None
    assert entry.folder == theirs / "recipes" / "key"
    assert store.put("key", {"file": b"content"}, {"note": 1}) == entry
    assert store.put("key", {"file": b"other"}, {}).folder == own / "recipes" / "key"
    assert store.put("new", {"file": b"new"}, {}).folder == own / "recipes" / "new"
    assert everything(theirs) == before


@pytest.mark.parametrize("part", ["grades", "modules", "python"])
def test_what_is_each_user_s_own_is_not_looked_for(theirs: Path, own: Path, part: str) -> None:
    Store(theirs / part).put("key", {}, {"points": 5})
    assert Store(own / part).get("key") is None


def test_a_damaged_entry_is_passed_over_and_left(theirs: Path, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(theirs / "recipes").put("key", {"file": b"content"}, {})
    (theirs / "recipes/key/file").write_bytes(b"damage")
    store = Store(own / "recipes")
    assert store.get("key") is None
    assert store.put("key", {"file": b"content"}, {}).folder == own / "recipes" / "key"
    again = store.get("key")
    assert again is not None
    assert again.folder == own / "recipes" / "key"
    assert capsys.readouterr().err.count("passed over") == 1
    assert (theirs / "recipes/key/file").read_bytes() == b"damage"


def writable(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def foreign(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 4711, 4711)


def link(path: Path) -> None:
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    path.symlink_to(away)


@pytest.mark.parametrize("place", [".", "recipes", "recipes/key", "recipes/key/file"])
@pytest.mark.parametrize("spoil", [writable, foreign, link])
def test_what_others_could_have_put_there_is_passed_over(
    theirs: Path, own: Path, place: str, spoil: object, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(theirs / "recipes").put("key", {"file": b"content"}, {})
    assert callable(spoil)
    if spoil is link and place == ".":
        pytest.skip("its name is the administrator's choice")
    spoil(theirs / place)
    assert Store(own / "recipes").get("key") is None
    said = capsys.readouterr().err
    assert said.startswith(f"kmodlab: passed over {theirs}/recipes/key: ")
    words = {"writable": "others may write to it", "foreign": "belongs to user 4711", "link": "symbolic link"}
    assert words[spoil.__name__] in said


def test_kernels_of_both_are_found_and_the_shared_default_is_used(theirs: Path, own: Path) -> None:
    make(theirs, "6.1.0-2-amd64", default=True)
    make(own, "6.1.0-1-amd64", default=True)
    make(own, "6.1.0-2-amd64")
    assert [kernel.release for kernel in kernels.find_kernels()] == ["6.1.0-1-amd64", "6.1.0-2-amd64"]
    assert kernels.default_kernel().root.is_relative_to(theirs)
    assert kernels.ensure_kernel("6.1.0-2-amd64") == kernels.default_kernel()
    assert kernels.ensure_kernel("6.1.0-1-amd64").root.is_relative_to(own)


def test_a_damaged_kernel_is_passed_over(theirs: Path, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(theirs, "6.1.0-2-amd64", default=True)
    (theirs / "kernels/6.1.0-2-amd64_1/root/boot/vmlinux-6.1.0-2-amd64").unlink()
    make(own, "6.1.0-2-amd64", default=True)
    assert kernels.default_kernel().root.is_relative_to(own)
    assert "kernels/6.1.0-2-amd64_1: damaged; the own cache serves" in capsys.readouterr().err


def test_a_shared_cache_that_is_one_s_own_is_just_the_cache(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMODLAB_CACHE", str(theirs))
    settings.cache_clear()
    store = Store(theirs / "recipes")
    store.put("key", {"file": b"content"}, {})
    (theirs / "recipes/key/file").write_bytes(b"damage")
    assert store.get("key") is None
    assert not (theirs / "recipes/key").exists()
