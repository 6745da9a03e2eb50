# SPDX-License-Identifier: MIT
"""Which kernels there are, from a package archive in a folder and the machine's own apt."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmodlab.config import settings
from kmodlab.host import offers as module
from kmodlab.host.offers import archive_of, newest, offers
from kmodlab.host.state import machine_release
from tests.unit.test_kernels import make

SYSTEM, CODENAME = machine_release().split()
PLAIN, CLOUD, OLD = "6.1.0-9-amd64", "6.1.0-9-cloud-amd64", "6.1.0-8-amd64"
NEWER, BACKPORT = "6.12.20+deb12-amd64", "6.20.3+deb12-amd64"


def publish(folder: Path, suite: str, *names: str) -> None:
    """Write the index of a suite that offers packages of these names."""
    place = folder / "dists" / suite
    (place / "main/binary-amd64").mkdir(parents=True)
    content = "\n".join(
        f"Package: {name}\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@example.org>\n"
        f"{'Depends: linux-image-' + PLAIN if name == 'linux-image-amd64' else 'Section: kernel'}\n"
        f"Filename: pool/{name}.deb\nSize: 1\nSHA256: {'0' * 64}\nDescription: a test\n"
        for name in names
    ).encode()
    files = {"main/binary-amd64/Packages": content, "main/binary-amd64/Packages.gz": gzip.compress(content)}
    lines = []
    for name, data in files.items():
        (place / name).write_bytes(data)
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
    date = subprocess.run(["date", "-u", "-R"], check=True, capture_output=True, text=True).stdout.strip()
    head = f"Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: amd64\nDate: {date}\n"
    (place / "Release").write_text(head + "SHA256:\n" + "\n".join(lines) + "\n")


def both(*releases: str) -> list[str]:
    return [f"linux-{kind}-{release}" for release in releases for kind in ("image", "headers")]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and an archive that is all that apt knows."""
    if not Path("/usr/bin/apt-get").exists() or subprocess.run(["dpkg", "--print-architecture"], capture_output=True,
                                                               check=True).stdout != b"amd64\n":  # fmt: skip
        pytest.skip("not a Debian system of amd64")
    archive = tmp_path / "archive"
    more = ("linux-image-6.12-amd64", "linux-headers-6.12-amd64", f"linux-image-{PLAIN}-dbg", "linux-image-amd64")
    publish(archive, CODENAME, *both(OLD, CLOUD, NEWER, PLAIN), "linux-image-6.1.0-7-amd64", *more)
    publish(archive, f"{CODENAME}-backports", *both(BACKPORT))
    (tmp_path / "sources.list").write_text(f"deb copy:{archive} {CODENAME} main\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "machine.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "{tmp_path}/empty";\n'
        'Acquire::AllowInsecureRepositories "true";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "machine.conf"))
    monkeypatch.setenv("KMODLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_KEYRING", tmp_path / "no keys")
    settings.cache_clear()
    yield tmp_path / "cache"
    settings.cache_clear()


def test_what_the_machine_s_sources_offer(cache: Path) -> None:
    rows = offers()
    assert [row.release for row in rows] == [NEWER, PLAIN, CLOUD, OLD], "the newest first, and none without headers"
    assert {(row.arch, row.source, row.ready) for row in rows} == {("x86_64", f"{SYSTEM} {CODENAME}", False)}
    assert [row.release for row in rows if row.default] == [PLAIN]
    assert [row.release for row in newest(rows)] == [NEWER, PLAIN, CLOUD]


def test_what_is_ready_is_listed_whether_it_is_still_offered_or_not(cache: Path) -> None:
    for number, release in enumerate((OLD, "5.10.0-1-amd64")):
        make(cache, release, default=number == 0)
    rows = {row.release: row for row in offers()}
    assert (rows[OLD].ready, rows[OLD].default, rows[OLD].source) == (True, True, f"{SYSTEM} {CODENAME}")
    assert (rows["5.10.0-1-amd64"].ready, rows["5.10.0-1-amd64"].source) == (True, "Debian test")
    assert OLD in {row.release for row in newest(rows.values())}


def test_backports_are_listed_on_request(cache: Path) -> None:
    found = offers(["backports"])
    assert (found[0].release, found[0].source) == (BACKPORT, f"{SYSTEM} {CODENAME}-backports")
    assert len(found) == 5
    assert archive_of("backports").title == f"{SYSTEM} {CODENAME}-backports"


def test_without_package_lists_what_is_ready_is_listed(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sources.list").write_text("")
    make(cache, PLAIN, default=True)
    assert [(row.release, row.default) for row in offers()] == [(PLAIN, True)]
    assert "name no packages" in capsys.readouterr().err
