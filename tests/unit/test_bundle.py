# SPDX-License-Identifier: MIT
"""Bundles: what goes in comes out, whatever is damaged or foreign is refused, and apt takes what is in one."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from kmodlab.errors import UsageError
from kmodlab.host.apt import PrivateApt
from kmodlab.host.bundle import find_bundle
from kmodlab.host.packing import pack, unpack_bundle


def make_deb(folder: Path, name: str, version: str, depends: str = "") -> Path:
    """A small package, as ``dpkg-deb`` builds it."""
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/share" / name).mkdir(parents=True)
    (root / "usr/share" / name / "here").write_text(version)
    fields = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "nobody", "Description": name}
    fields |= {"Depends": depends} if depends else {}
    (root / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
    # As apt calls the file of a version with an epoch.
    file = folder / f"{name}_{version.replace(':', '%3a')}_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, file], check=True, capture_output=True)
    return file


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    debs = [make_deb(tmp_path, "base", "1:2.0~rc1"), make_deb(tmp_path, "leaning", "1.0", depends="base (>= 1:1.0)")]
    (tmp_path / "some-1.0-py3-none-any.whl").write_bytes(b"a wheel")
    file = tmp_path / "lab.zip"
    assert pack(file, debs, [tmp_path / "some-1.0-py3-none-any.whl"], "0.1") == file.stat().st_size
    return file


def test_apt_uses_a_bundle_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert find_bundle(cache) is None
    assert unpack_bundle(bundle, cache) == find_bundle(cache)
    archive = PrivateApt(cache / "apt")
    debs = archive.resolve(["leaning"], with_dependencies=True)
    assert [(deb.name, deb.version) for deb in debs] == [("base", "1:2.0~rc1"), ("leaning", "1.0")]
    for file in archive.download(debs):
        assert subprocess.run(["dpkg-deb", "--info", file], check=False, capture_output=True).returncode == 0
    assert archive.show(["base"])[0]["Version"] == "1:2.0~rc1"
    assert (cache / "bundle/wheels/some-1.0-py3-none-any.whl").read_bytes() == b"a wheel"
    assert "leaning 1.0: source leaning 1.0" in (cache / "bundle/SOURCES.txt").read_text()


def altered(bundle: Path, name: str, content: bytes) -> Path:
    """A copy of a bundle in which one file is another."""
    made = bundle.with_name("altered.zip")
    with zipfile.ZipFile(bundle) as before, zipfile.ZipFile(made, "w") as after:
        for one in before.namelist():
            after.writestr(one, content if one == name else before.read(one))
    return made


def manifest(bundle: Path, **changes: object) -> Path:
    """A copy of a bundle whose list says something else."""
    with zipfile.ZipFile(bundle) as archive:
        facts = json.loads(archive.read("bundle.json"))
    return altered(bundle, "bundle.json", json.dumps(facts | changes).encode())


def refused(file: Path, cache: Path, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        unpack_bundle(file, cache)
    assert find_bundle(cache) is None
    assert {path.name for path in cache.iterdir()} <= {"CACHEDIR.TAG", "bundle.lock"}


def test_a_damaged_or_foreign_bundle_is_refused_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    name = "wheels/some-1.0-py3-none-any.whl"
    refused(altered(bundle, name, b"another"), cache, r"some-1\.0.* is damaged; copy it once more")
    refused(altered(bundle, name, b"a wheel, and more"), cache, r"some-1\.0.* is damaged")
    refused(manifest(bundle, system="Debian sid"), cache, "made for Debian sid .* make one on a machine like this one")
    refused(manifest(bundle, form=99), cache, "in another form")
    refused(manifest(bundle, files={"debs/../../escaped": {"size": 1, "sha256": ""}}), cache, "escaped")
    refused(manifest(bundle, files={"/etc/escaped": {"size": 1, "sha256": ""}}), cache, "escaped")
    refused(manifest(bundle, files=7), cache, "read .*altered.zip")
    refused(altered(bundle, "bundle.json", b"{"), cache, "read .*altered.zip")
    (tmp_path / "cut.zip").write_bytes(bundle.read_bytes()[:-100])
    refused(tmp_path / "cut.zip", cache, "not a zip file")
    refused(tmp_path / "missing.zip", cache, "no such file")


def test_an_older_bundle_makes_way(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    unpack_bundle(bundle, cache)
    (cache / "bundle/wheels/older.whl").touch()
    unpack_bundle(bundle, cache)
    assert not (cache / "bundle/wheels/older.whl").exists()
