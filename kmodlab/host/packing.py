# SPDX-License-Identifier: MIT
"""Packs all that a set-up fetches into one file, and unpacks it where there is no network.

The file is a zip archive, uncompressed since its parts are compressed: ``wheels/`` for the Python environment,
``debs/`` as a small archive that apt can use, ``SOURCES.txt`` with what redistribution owes, and ``bundle.json``, which
names every other file with its size and SHA-256.

This file needs nothing but Python's own library, since it comes before the environment in which the rest runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kmodlab import process
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.host import state
from kmodlab.host.bundle import FOLDER, MANIFEST, Bundle
from kmodlab.host.deb import parse_stanzas
from kmodlab.progress import size_text, step

__all__ = ["pack", "unpack_bundle"]

_SOURCES = "SOURCES.txt"
_FORM = 1
# A name that can lie in no other folder than its own.
_NAME = re.compile(r"(?:wheels|debs)/[A-Za-z0-9][A-Za-z0-9._+~-]*|SOURCES\.txt")
_OWED = """\
What this file holds, and where its sources are
===============================================

Each Debian package below is unchanged, as Debian distributes it. Its licence stands in the package itself, in
usr/share/doc/PACKAGE/copyright (dpkg-deb --fsys-tarfile FILE | tar -x). Its source is the Debian source package named
beside it, in that version: `apt-get source SOURCE=VERSION` with a line deb-src of the same release, or Debian's archive
of all that it ever published. Each wheel is unchanged, as the Python package index distributes it; its licence stands
in its folder NAME-VERSION.dist-info.

"""


# -- Making one -------------------------------------------------------------------------------------------------------


def pack(file: Path, debs: Iterable[Path], wheels: Iterable[Path], version: str) -> int:
    """Write a bundle of these packages and return its size in bytes.

    Args:
        file: is replaced if it is there.
        debs: Debian packages' files.
        wheels: Python packages' files.
        version: of kmodlab.

    Raises:
        HostSetupError: it cannot be written.
    """
    debs, wheels = sorted(debs), sorted(wheels)
    total = sum(path.stat().st_size for path in (*debs, *wheels))
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        what = f"Packing {len(debs)} Debian packages and {len(wheels)} wheels"
        with step(what, total=total) as now, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            files = {}
            for path in (*debs, *wheels):
                archive.write(path, _place(path))
                files[_place(path)] = _facts(path)
                now.update(path.stat().st_size)
            controls = {path: _control(path) for path in debs}
            texts = {"debs/Packages": _index(controls, files), _SOURCES: _sources(controls, wheels)}
            for name, text in texts.items():
                archive.writestr(name, text)
                files[name] = {"size": len(text.encode()), "sha256": hashlib.sha256(text.encode()).hexdigest()}
            manifest = {"form": _FORM, "kmodlab": version, **_machine(), "files": files}
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
        part.replace(file)
        return file.stat().st_size
    except OSError as error:
        raise HostSetupError(f"write {file}: {error}; choose a place with {size_text(total)} of room") from error
    finally:
        part.unlink(missing_ok=True)


def _place(path: Path) -> str:
    """Where a package lies in the bundle; apt would take the %3a of an epoch for part of an address."""
    return f"debs/{path.name.replace('%3a', '~')}" if path.suffix == ".deb" else f"wheels/{path.name}"


def _machine() -> dict[str, str]:
    """What a machine must be to use a bundle made on this one."""
    done = process.run(["dpkg", "--print-architecture"], timeout=30)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"system": state.machine_release(), "architecture": done.text.strip(), "python": python}


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _control(deb: Path) -> str:
    done = process.run(["dpkg-deb", "--field", deb], timeout=60)
    if done.exit_status != 0:
        raise HostSetupError(f"read {deb.name}: {done.text.strip()}; remove it and try again")
    return done.text.strip()


def _index(controls: Mapping[Path, str], files: Mapping[str, Mapping[str, Any]]) -> str:
    """The file ``Packages`` of an archive with these packages, in its one folder."""
    stanzas = []
    for path, control in controls.items():
        facts, name = files[_place(path)], _place(path).removeprefix("debs/")
        stanzas.append(f"{control}\nFilename: ./{name}\nSize: {facts['size']}\nSHA256: {facts['sha256']}\n")
    return "\n".join(stanzas)


def _sources(controls: Mapping[Path, str], wheels: Iterable[Path]) -> str:
    rows = []
    for control in controls.values():
        (fields,) = parse_stanzas(control)
        source, _, version = fields.get("Source", fields["Package"]).partition(" ")
        rows.append(
            f"{fields['Package']} {fields['Version']}: source {source} {version.strip('()') or fields['Version']}"
        )
    names = [path.name for path in wheels]
    return "\n".join([_OWED, "Debian packages", "---------------", *rows, "", "Wheels", "------", *names, ""])


# -- Using one --------------------------------------------------------------------------------------------------------


def unpack_bundle(file: Path, cache: Path) -> Bundle:
    """Unpack a bundle into a cache folder, all of it or nothing, and return it.

    Raises:
        UsageError: the file is no bundle, is damaged, or was made for another system.
        HostSetupError: the cache folder cannot be written.
    """
    state.claim(cache)
    target = cache / FOLDER
    try:
        with zipfile.ZipFile(file) as archive, state.locked(cache / "bundle.lock", "unpacking a bundle"):
            manifest = _read_manifest(file, archive)
            total = sum(facts["size"] for facts in manifest["files"].values())
            state.need_room(cache, total, "the bundle")
            with tempfile.TemporaryDirectory(dir=cache, prefix=".new-bundle-") as temporary:
                place = Path(temporary) / FOLDER
                with step(f"Unpacking {file.name} ({size_text(total)})", total=total) as now:
                    for name, facts in manifest["files"].items():
                        _unpack_one(archive, name, facts, place)
                        now.update(facts["size"])
                (place / MANIFEST).write_text(json.dumps(manifest, indent=1))
                shutil.rmtree(target, ignore_errors=True)
                place.rename(target)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"read {file}: {error}; copy it once more, or make it anew with setup --export") from None
    except FileNotFoundError:
        raise UsageError(f"read {file}: no such file (ENOENT); setup --export makes one") from None
    except OSError as error:
        raise HostSetupError(f"unpack {file}: {error}; set KMODLAB_CACHE to a folder with more room") from error
    return Bundle(target)


def _read_manifest(file: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if manifest["form"] != _FORM:
        raise UsageError(f"read {file}: made by kmodlab {manifest['kmodlab']}, in another form; make it anew")
    for name, here in _machine().items():
        if manifest[name] != here:
            raise UsageError(
                f"use {file}: made for {manifest['system']} {manifest['architecture']} with Python "
                f"{manifest['python']}, and this machine has {here}; make one on a machine like this one"
            )
    wrong = next((name for name in manifest["files"] if not _NAME.fullmatch(name)), "")
    if wrong:
        raise ValueError(f"it names a file {wrong!r}")
    return manifest


def _unpack_one(archive: zipfile.ZipFile, name: str, facts: Mapping[str, Any], place: Path) -> None:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with archive.open(name) as source, path.open("wb") as target:
        while piece := source.read(1 << 20):
            size += len(piece)
            if size > facts["size"]:
                break
            digest.update(piece)
            target.write(piece)
    if size != facts["size"] or digest.hexdigest() != facts["sha256"]:
        raise ValueError(f"{name} is damaged")
