# SPDX-License-Identifier: MIT
"""Crash capsules: what is packed comes back, and a hostile one is refused without touching the disk."""

from __future__ import annotations

import contextlib
import io
import json
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kmodlab.build.source import ModuleSource
from kmodlab.errors import UsageError
from kmodlab.resources import resource
from kmodlab.verdict import Evidence, judge
from kmodlab.verdict.capsule import Settings, differences, read_capsule, write_capsule

VERDICT = judge("hello", Evidence(("hello",), "6.1.0-56-amd64"))
CHOSEN = Settings("6.1.0-56-amd64", {"whom": "all of you"}, ("true", "cat /proc/modules"), 5.0, 256, 2, False)


@pytest.fixture
def capsule(tmp_path: Path) -> Path:
    path = tmp_path / "hello.zip"
    write_capsule(path, ModuleSource.from_path(resource("lab_modules") / "hello"), CHOSEN, VERDICT)
    return path


def test_what_was_packed_comes_back(capsule: Path) -> None:
    read = read_capsule(capsule)
    source = ModuleSource.from_path(resource("lab_modules") / "hello")
    assert read.source.key == source.key
    assert read.source.modules == source.modules
    assert dict(read.settings.parameters) == CHOSEN.parameters
    assert read.settings.exec == CHOSEN.exec
    assert (read.settings.timeout, read.settings.ledger) == (5.0, False)
    assert differences(read.verdict, VERDICT.to_dict()) == []


def test_a_cell_comes_back_with_its_lines(tmp_path: Path) -> None:
    source = ModuleSource.from_text("cell", "int x;\n", filename="cell [3]", first_line=2)
    write_capsule(tmp_path / "cell.zip", source, Settings("6.1.0-56-amd64"), VERDICT)
    read = read_capsule(tmp_path / "cell.zip").source
    assert read.place("/build/cell.c", 1) == source.place("/build/cell.c", 1)


def test_the_same_gives_the_same_bytes(capsule: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    write_capsule(again, ModuleSource.from_path(resource("lab_modules") / "hello"), CHOSEN, VERDICT)
    assert again.read_bytes() == capsule.read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["again.zip", "hello.zip"]


def test_it_is_a_plain_zip(capsule: Path) -> None:
    with zipfile.ZipFile(capsule) as archive:
        names = set(archive.namelist())
    assert {"capsule.json", "verdict.json", "kernel.log", "source/hello.c", "source/Kbuild"} <= names


def test_what_differs_is_said() -> None:
    was = VERDICT.to_dict()
    now = {**was, "verdict": "hung", "where": {"file": "hello.c", "line": 3}}
    assert differences(was, now) == [
        "verdict: was 'clean', is 'hung'",
        "where: was nowhere, is hello.c:3",
    ]


def members(capsule: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(capsule) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(capsule: Path, content: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(capsule, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return capsule


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.c", "source/../../evil.c", "/etc/evil", "source//etc/evil", "source/./x", "source\\..\\evil"),
        *("C:evil", "source/", "source/a/"),
    ],
)
def test_names_that_lead_out_are_refused(capsule: Path, name: str) -> None:
    rewritten(capsule, {**members(capsule), name: b"int x;"})
    with pytest.raises(UsageError, match="leads out of it"):
        read_capsule(capsule)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
def test_links_and_devices_are_refused(capsule: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("source/passwd.h")
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(capsule, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UsageError, match="no regular file"):
        read_capsule(capsule)


def test_a_bomb_is_refused(capsule: Path) -> None:
    rewritten(capsule, {**members(capsule), "source/bomb.h": bytes(200 << 20)})
    assert capsule.stat().st_size < 1 << 20
    with pytest.raises(UsageError, match="unpacks to more than"):
        read_capsule(capsule)


def test_a_bomb_that_lies_about_its_size_is_refused(capsule: Path) -> None:
    rewritten(capsule, {**members(capsule), "source/bomb.h": bytes(200 << 20)})
    content = bytearray(capsule.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 10)
    capsule.write_bytes(content)
    with pytest.raises(UsageError):
        read_capsule(capsule)


def test_too_many_files_are_refused(capsule: Path) -> None:
    rewritten(capsule, members(capsule) | {f"source/{number}.h": b"" for number in range(1200)})
    with pytest.raises(UsageError, match="more than 1100 files"):
        read_capsule(capsule)


def test_a_name_twice_is_refused(capsule: Path) -> None:
    with zipfile.ZipFile(capsule, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("source/hello.c", "int x;")
    with pytest.raises(UsageError, match="twice"):
        read_capsule(capsule)


def changed(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(facts: dict[str, Any]) -> None:
        *folders, last = path.split(".")
        for folder in folders:
            facts = facts[folder]
        facts[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed("form", 2),
        changed("form", "1"),
        changed("source.name", "../x"),
        changed("source.name", "x y"),
        changed("source.modules", ["a;b"]),
        changed("source.modules", ["../a"]),
        changed("source.single", 1),
        changed("settings.timeout", 1e9),
        changed("settings.timeout", "soon"),
        changed("settings.memory", 1 << 40),
        changed("settings.memory", True),
        changed("settings.cpus", 0),
        changed("settings.exec", "reboot"),
        changed("settings.parameters", []),
        changed("settings", None),
        changed("source", []),
    ],
)
def test_settings_that_no_capsule_of_ours_has_are_refused(
    capsule: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    content = members(capsule)
    facts = json.loads(content["capsule.json"])
    change(facts)
    rewritten(capsule, {**content, "capsule.json": json.dumps(facts).encode()})
    with pytest.raises(UsageError):
        read_capsule(capsule)


@pytest.mark.parametrize("name", ["capsule.json", "verdict.json", "source/Kbuild"])
def test_a_part_that_is_missing_is_noticed(capsule: Path, name: str) -> None:
    content = members(capsule)
    del content[name]
    rewritten(capsule, content)
    with pytest.raises(UsageError):
        read_capsule(capsule)


def test_what_is_no_capsule(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_capsule(tmp_path / "none.zip")
    (tmp_path / "text").write_text("not a zip")
    with pytest.raises(UsageError, match="no zip file"):
        read_capsule(tmp_path / "text")
    (tmp_path / "deep.zip").write_bytes(b"")
    rewritten(tmp_path / "deep.zip", {"capsule.json": b"[" * 100_000, "verdict.json": b"{}"})
    with pytest.raises(UsageError):
        read_capsule(tmp_path / "deep.zip")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_damage_gives_a_refusal_or_a_capsule(capsule: Path, data: st.DataObject) -> None:
    content = bytearray(capsule.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = capsule.with_name("damaged.zip")
    damaged.write_bytes(content)
    with contextlib.suppress(UsageError):
        read_capsule(damaged)


def test_replay_of_a_hostile_one_is_a_wrong_command_line(capsule: Path) -> None:
    rewritten(capsule, {**members(capsule), "../evil.c": b""})
    argv = [sys.executable, "-m", "kmodlab", "replay", str(capsule)]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "leads out of it" in finished.stderr
    assert not (capsule.parent.parent / "evil.c").exists()


def test_a_zip_is_read_from_memory_only(capsule: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    read_capsule(capsule)
    assert sorted(tmp_path.rglob("*")) == before
    assert io.BytesIO(capsule.read_bytes()).read(2) == b"PK"
