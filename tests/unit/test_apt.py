# SPDX-License-Identifier: MIT
"""apt without root, tried with the real apt on a small archive of our own, and on texts that apt printed."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from kmodlab.errors import HostSetupError
from kmodlab.host.apt import PrivateApt, StaleLists, _error, percent_watcher
from kmodlab.host.deb import Deb, discard, parse_stanzas, parse_uris, unpack
from kmodlab.host.kernel_packages import resolve_kernel
from kmodlab.host.ledger import fetched_line

# apt 2.6.1 of Debian 12 and 3.0.3 of Debian 13, the mirror's name replaced.
URIS = """\
'http://mirror.invalid/debian/pool/main/p/python-pip/python3-pip-whl_23.0.1%2bdfsg-1_all.deb' \
python3-pip-whl_23.0.1+dfsg-1_all.deb 1717296 SHA256:cc373690a1cb469fb301b9fe0125048e3102f2e365d1b2d27cab091ec89fccdc
'http://mirror.invalid/debian/pool/main/s/squashfs-tools/squashfs-tools_4.6.1-1_amd64.deb' \
squashfs-tools_1%3a4.6.1-1_amd64.deb 193888 MD5Sum:a87b7d8a8aa6a7a0c0e6e5b6e5e2a1a0
"""
NO_NETWORK = """\
Err:1 http://mirror.invalid/debian trixie InRelease
  Temporary failure resolving 'mirror.invalid'
E: Failed to fetch http://user:secret@mirror.invalid/trixie/InRelease  Temporary failure resolving 'mirror.invalid'
E: Some index files failed to download. They have been ignored, or old ones used instead.
"""
GONE = "E: Failed to fetch http://mirror.invalid/p/linux-image_1_amd64.deb  404  Not Found [IP: 192.0.2.1 80]\n"
FULL = "E: Failed to fetch http://mirror.invalid/a.deb  Error writing to file - write (28: No space left on device)\n"


def test_uris_give_names_versions_with_their_epoch_and_sizes() -> None:
    pip, squashfs = parse_uris(URIS)
    assert pip == Deb(
        "python3-pip-whl",
        "23.0.1+dfsg-1",
        "python3-pip-whl_23.0.1+dfsg-1_all.deb",
        1717296,
        "cc373690a1cb469fb301b9fe0125048e3102f2e365d1b2d27cab091ec89fccdc",
    )
    assert (squashfs.version, squashfs.filename, squashfs.sha256) == (
        "1:4.6.1-1",
        "squashfs-tools_1%3a4.6.1-1_amd64.deb",
        "",
    )


def test_stanzas_join_continued_lines() -> None:
    first, second = parse_stanzas("Package: a\nDepends: b (>= 1),\n c\nDescription: x\n\nPackage: d\n")
    assert first["Depends"] == "b (>= 1),\nc"
    assert second == {"Package": "d"}
    assert parse_stanzas("") == []


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        (NO_NETWORK, HostSetupError, "check the network"),
        (GONE, StaleLists, "try again"),
        (FULL, HostSetupError, "(ENOSPC)"),
        ("E: Unable to locate package nosuch\n", HostSetupError, "Unable to locate package nosuch; add "),
        ("E: The repository 'http://m x InRelease' is not signed.\n", HostSetupError, "keys of apt's sources"),
        ("", HostSetupError, "failed; "),
    ],
)
def test_what_apt_complains_of_becomes_one_sentence(text: str, kind: type, part: str, tmp_path: Path) -> None:
    error = _error(text, tmp_path)
    assert isinstance(error, kind)
    assert part in str(error)
    assert "\n" not in str(error)
    assert "secret" not in str(error)
    assert "://" not in str(error)


def test_status_lines_become_progress() -> None:
    reached: list[float] = []
    watch = percent_watcher(reached.append, 2)
    watch(b"dlstatus:1:12.5:Retrieving file 1 of 3\ndlstatus:2:50.0000:Retrieving\n")
    watch(b"Get:1 something\n")
    assert reached == [100.0]


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("Fetched 9417 kB in 1s (10.2 MB/s)", 9_417_000),
        ("Fetched 76.8 MB in 3s (25.1 MB/s)", 76_800_000),
        ("Fetched 12 B in 0s (0 B/s)", 12),
        ("Get:1 Fetched 5 B in ", 0),
    ],
)
def test_apt_says_what_it_fetched(line: str, size: int) -> None:
    assert fetched_line(f"Reading package lists...\n{line}\n") == size


class Archive:
    """A package archive in a folder, and a private apt that knows no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "archive"
        self.folder.mkdir()
        self.stanzas: list[str] = []
        self.apt = PrivateApt(folder / "apt")
        (folder / "sources.list").write_text(f"deb [trusted=yes] copy:{self.folder} ./\n")
        (folder / "empty").mkdir()
        self.settings = folder / "machine.conf"
        self.settings.write_text(
            f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "{folder}/empty";\n'
        )

    def add(self, name: str, version: str, depends: str = "") -> Path:
        """Put a package into the archive and return its file."""
        tree = self.folder.parent / f"tree-{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share" / name).mkdir(parents=True)
        (tree / "usr/share" / name / "version").write_text(version)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\n"
        control += (f"Depends: {depends}\n" if depends else "") + "Description: a test\n"
        (tree / "DEBIAN/control").write_text(control)
        file = self.folder / f"{name}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, file], check=True, capture_output=True)
        data = file.read_bytes()
        self.stanzas.append(
            f"{control}Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
        self.publish()
        return file

    def publish(self) -> None:
        """Write the archive's index."""
        packages = "\n".join(self.stanzas).encode()
        (self.folder / "Packages").write_bytes(packages)
        (self.folder / "Packages.gz").write_bytes(gzip.compress(packages))
        lines = [
            f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}"
            for name in ("Packages", "Packages.gz")
            for data in [(self.folder / name).read_bytes()]
        ]
        date = subprocess.run(["date", "-u", "-R"], check=True, capture_output=True, text=True).stdout.strip()
        (self.folder / "Release").write_text(f"Date: {date}\nSHA256:\n" + "\n".join(lines) + "\n")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    if not Path("/usr/bin/apt-get").exists():
        pytest.skip("not a Debian system")
    made = Archive(tmp_path)
    monkeypatch.setenv("APT_CONFIG", str(made.settings))
    return made


def test_resolve_download_and_unpack(archive: Archive, tmp_path: Path) -> None:
    archive.add("kmodlab-b", "1:2.0")
    archive.add("kmodlab-a", "1.0", depends="kmodlab-b")
    assert [deb.name for deb in archive.apt.resolve(["kmodlab-a"])] == ["kmodlab-a"]
    debs = archive.apt.resolve(["kmodlab-a"], with_dependencies=True)
    assert {deb.name: deb.version for deb in debs} == {"kmodlab-a": "1.0", "kmodlab-b": "1:2.0"}
    files = archive.apt.download(debs)
    assert [file.stat().st_size for file in files] == [deb.size for deb in debs]
    root = tmp_path / "deep" / "root"
    unpack(files, root, keep=True)
    assert (root / "usr/share/kmodlab-a/version").read_text() == "1.0"
    assert (root / "usr/share/kmodlab-b/version").read_text() == "1:2.0"
    assert [path.name for path in root.parent.iterdir()] == ["root"]
    assert archive.apt.show(["kmodlab-a"])[0]["Depends"] == "kmodlab-b"
    discard(files)
    assert not any(file.exists() for file in files)


def test_a_file_that_was_cut_short_or_changed_is_fetched_again(archive: Archive) -> None:
    archive.add("kmodlab-a", "1.0")
    debs = archive.apt.resolve(["kmodlab-a"])
    (file,) = archive.apt.download(debs)
    whole = file.read_bytes()
    for damaged in (whole[:100], whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(damaged)
        assert archive.apt.download(debs)[0].read_bytes() == whole


def test_a_file_that_the_archive_has_dropped(archive: Archive) -> None:
    archive.add("kmodlab-a", "1.0").unlink()
    debs = archive.apt.resolve(["kmodlab-a"])
    archive.stanzas.clear()
    archive.add("kmodlab-a", "1.1")
    with pytest.raises(HostSetupError):
        archive.apt.download(debs)


def test_a_file_with_another_hash_is_refused(archive: Archive) -> None:
    file = archive.add("kmodlab-a", "1.0")
    debs = archive.apt.resolve(["kmodlab-a"])
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(HostSetupError):  # apt 2 names the hash, apt 3 only says that it failed
        archive.apt.download(debs)
    assert not (archive.apt.archives / debs[0].filename).exists()


def test_a_package_that_is_not_there(archive: Archive) -> None:
    archive.add("kmodlab-a", "1.0")
    with pytest.raises(HostSetupError, match="Unable to locate package kmodlab-none"):
        archive.apt.resolve(["kmodlab-none"], with_dependencies=True)
    with pytest.raises(HostSetupError):
        archive.apt.show(["kmodlab-none"])


R = "7.3.4-1-amd64"


@pytest.mark.parametrize("parts", [[], ["base", "binary", "modules"]])
def test_a_kernel_in_one_package_and_in_several(archive: Archive, parts: list[str]) -> None:
    own = [f"linux-{part}-{R}" for part in parts]
    needed = ["linux-headers-7.3.4-1-common", "linux-kbuild-7.3.4-1"]
    for name in (*own, *needed, "linux-base", "kmod"):
        archive.add(name, "7.3.4-1")
    depends = ["kmod | other", "linux-base (>= 4)", *(f"{name} (= 7.3.4-1)" for name in own)]
    archive.add(f"linux-image-{R}", "7.3.4-1", depends=", ".join(depends))
    archive.add(f"linux-headers-{R}", "7.3.4-1", depends=", ".join(needed))
    found = resolve_kernel(R, archive.apt)
    assert [deb.name for deb in found.debs] == [f"linux-image-{R}", *own, f"linux-headers-{R}", *needed]
    assert found.version == "7.3.4-1"


def test_a_kernel_that_is_not_there(archive: Archive) -> None:
    archive.add("kmodlab-a", "1.0")
    with pytest.raises(HostSetupError, match=rf"fetch kernel {R}: apt offers none of that name; \./lab kernels"):
        resolve_kernel(R, archive.apt)


def test_a_machine_without_sources(archive: Archive) -> None:
    (archive.folder.parent / "sources.list").write_text("")
    with pytest.raises(HostSetupError, match="sources: they name no packages"):
        archive.apt.resolve(["kmodlab-a"])


def test_a_damaged_package_leaves_nothing(archive: Archive, tmp_path: Path) -> None:
    good = archive.add("kmodlab-a", "1.0")
    bad = archive.add("kmodlab-b", "1.0")
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    place = tmp_path / "place"
    with pytest.raises(HostSetupError, match=r"unpack kmodlab-b_1\.0_all\.deb"):
        unpack([good, bad], place / "root")
    assert list(place.iterdir()) == []
    assert good.exists()


def test_the_machine_s_own_state_is_left_alone(archive: Archive) -> None:
    archive.add("kmodlab-a", "1.0")
    archive.apt.resolve(["kmodlab-a"])
    environment = {**os.environ, "APT_CONFIG": ""}
    policy = subprocess.run(["apt-cache", "policy", "kmodlab-a"], capture_output=True, text=True, env=environment)
    assert "1.0" not in policy.stdout
