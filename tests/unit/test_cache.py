# SPDX-License-Identifier: MIT
"""The store of results: whole or not at all, damage noticed, bounded, shared by processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kmodlab.build.cache import Entry, Store
from kmodlab.errors import HostSetupError

FILES = {"a.ko": b"\x7fELF" + bytes(5000), "b.ko": b""}
NOTE = {"modules": ["a", "b"], "größe": 3}


def leftovers(store: Store) -> list[str]:
    return [path.name for path in store.folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "store")


def test_what_was_put_is_got_back(store: Store) -> None:
    assert store.get("key") is None
    put = store.put("key", FILES, NOTE)
    got = store.get("key")
    assert got == put
    assert {name: put.path(name).read_bytes() for name in FILES} == FILES
    assert put.note == NOTE
    assert leftovers(store) == []


def test_putting_again_replaces(store: Store) -> None:
    store.put("key", FILES, NOTE)
    store.put("key", {"c": b"new"}, {})
    got = store.get("key")
    assert isinstance(got, Entry)
    assert set(got.files) == {"c"}
    assert leftovers(store) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: os.truncate(folder / "a.ko", 100),
        lambda folder: (folder / "a.ko").unlink(),
        lambda folder: (folder / "a.ko").write_bytes(bytes(5004)),
        lambda folder: os.truncate(folder / "entry.json", 30),
        lambda folder: (folder / "entry.json").write_bytes(b"\xff\xfe[]"),
        lambda folder: (folder / "entry.json").write_text("[]"),
        lambda folder: (folder / "entry.json").write_text('{"key": "other", "files": {}, "note": {}}'),
        lambda folder: (folder / "entry.json").unlink(),
    ],
)
def test_a_damaged_entry_counts_as_absent_and_goes(store: Store, damage: object) -> None:
    folder = store.put("key", FILES, NOTE).folder
    damage(folder)  # type: ignore[operator]
    assert store.get("key") is None
    assert not folder.exists()
    assert leftovers(store) == []
    assert store.get("key") is None


def test_the_entries_unused_for_longest_go_but_not_those_just_used(tmp_path: Path) -> None:
    store = Store(tmp_path, most=3)
    for number in range(6):
        store.put(f"k{number}", {"f": b"x"}, {})
    assert all(store.get(f"k{number}") for number in range(6)), "all are recent"
    for number in range(6):
        old = time.time() - 10_000 + number
        os.utime(tmp_path / f"k{number}", (old, old))
    assert store.get("k0"), "being read makes it recent"
    store.put("new", {"f": b"x"}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k0", "k5", "new"]


def test_a_full_disk_is_a_sentence_and_leaves_nothing(store: Store) -> None:
    store.put("key", FILES, NOTE)
    pid = os.fork()
    if pid == 0:  # a child, since the limit cannot be taken back
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            store.put("other", FILES, NOTE)
        except HostSetupError as error:
            os._exit(0 if "set KMODLAB_CACHE" in str(error) and leftovers(store) == [] else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.get("other") is None
    assert store.get("key")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostSetupError, match="set KMODLAB_CACHE to a folder elsewhere"):
        Store(tmp_path / "file" / "store").put("key", FILES, NOTE)


WRITER = """
import sys
from pathlib import Path
from kmodlab.build.cache import Store
store = Store(Path(sys.argv[1]))
print("go", flush=True)
for number in range(int(sys.argv[2])):
    entry = store.put(f"key{number % 50}", {"f": b"x" * 100000}, {})
    assert entry.path("f").read_bytes() == b"x" * 100000
"""


def start(folder: Path, times: int) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(times)], stdout=-1, text=True)
    assert child.stdout
    assert child.stdout.readline() == "go\n"
    return child


def test_several_processes_write_the_same_keys_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with start(tmp_path, 150) as one, start(tmp_path, 150) as two, start(tmp_path, 150) as three:
        while any(child.poll() is None for child in (one, two, three)):
            got = store.get("key0")
            assert got is None or got.path("f").read_bytes() == b"x" * 100000
    assert [child.returncode for child in (one, two, three)] == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 50
    assert leftovers(store) == []


def test_what_a_killed_writer_leaves_is_swept_and_the_entry_stays_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for delay in range(8):
        with start(tmp_path, 10_000) as child:
            deadline = time.monotonic() + 0.011 * delay
            while time.monotonic() < deadline:
                store.get("key0")
            child.kill()
        got = store.get("key0")
        assert got is None or got.path("f").read_bytes() == b"x" * 100000
    for name in leftovers(store):
        os.utime(tmp_path / name, (time.time() - 120,) * 2)
    store.sweep()
    assert leftovers(store) == []


def test_the_unfinished_entry_of_a_living_process_is_not_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    with store._temporary() as new:
        os.utime(new, (time.time() - 1000,) * 2)
        Store(tmp_path).sweep()
        assert new.exists()
    assert leftovers(store) == []
