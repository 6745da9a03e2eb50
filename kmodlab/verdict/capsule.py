# SPDX-License-Identifier: MIT
"""A crash capsule: all that it takes to see again what a module did, in one file to send to somebody.

It is a plain zip: ``capsule.json`` (form, kernel, settings), ``verdict.json``, ``kernel.log`` and the module's files
below ``source/``. Whoever opens one holds a stranger's file: it is read in memory, within limits, and nothing of it is
written to the disk; its source is built in the compile sandbox and runs in a machine, as any other.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from kmodlab.build.names import check_name
from kmodlab.build.source import ModuleSource
from kmodlab.errors import UsageError
from kmodlab.verdict.record import Verdict

__all__ = ["Capsule", "Settings", "differences", "read_capsule", "write_capsule"]

T = TypeVar("T")

_FORM = 1
_MOST_FILES = 1100
_MOST_BYTES = 40 << 20  # unpacked, all together; a module's source may have 16 MiB, its log a few
_LARGEST_FILE = 80 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a module was tried; see `kmodlab.try_module`."""

    kernel: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    exec: tuple[str, ...] = ()
    timeout: float = 10.0
    memory: int | None = None
    cpus: int | None = None
    ledger: bool = True


@dataclass(frozen=True, slots=True)
class Capsule:
    """What a capsule holds.

    Attributes:
        source: the module.
        settings: how it was tried.
        verdict: what came of it then, as `Verdict.to_dict` gives it.
    """

    source: ModuleSource
    settings: Settings
    verdict: Mapping[str, Any]


def write_capsule(path: Path, source: ModuleSource, settings: Settings, verdict: Verdict) -> None:
    """Write a capsule, whole or not at all. The same content gives the same bytes.

    Raises:
        UsageError: the file cannot be written.
    """
    facts = {
        "form": _FORM,
        "source": {
            "name": source.name,
            "modules": list(source.modules),
            "shown": source.shown,
            "first_line": source.first_line,
            "single": source.single,
        },
        "settings": {
            "kernel": settings.kernel,
            "parameters": dict(settings.parameters),
            "exec": list(settings.exec),
            "timeout": settings.timeout,
            "memory": settings.memory,
            "cpus": settings.cpus,
            "ledger": settings.ledger,
        },
    }
    found = verdict.to_dict()
    members = {
        "capsule.json": _json(facts),
        "verdict.json": _json(found),
        "kernel.log": "".join(f"{line}\n" for line in found["log"]).encode(),
        **{f"source/{name}": content for name, content in sorted(source.files.items())},
    }
    try:
        with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}.", delete=False) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in members.items():
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
            os.fchmod(file.fileno(), 0o644)
            Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(f"write {path}: {error.strerror}; choose another place") from None


def read_capsule(path: Path) -> Capsule:
    """Read a capsule.

    Raises:
        UsageError: it is none, or holds what no capsule of ours would: names that lead out of it, links, too much.
    """
    try:
        members = _members(path)
        facts, verdict = (json.loads(members[name]) for name in ("capsule.json", "verdict.json"))
        if _field(facts, "form", int) != _FORM:
            raise _refusal(path, "it was written by another version of kmodlab")
        files = {name.removeprefix("source/"): data for name, data in members.items() if name.startswith("source/")}
        source = _source(_field(facts, "source", dict), files)
        settings = _settings(_field(facts, "settings", dict))
        return Capsule(source, settings, MappingProxyType(dict(verdict)))
    except OSError as error:
        raise UsageError(f"read {path}: {error.strerror}; give the path of a capsule") from None
    except _Refused as error:
        raise _refusal(path, str(error)) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise _refusal(path, "it is no zip file, or a damaged one") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise _refusal(path, "what it says of itself cannot be read") from None


class _Refused(Exception):
    """Why a capsule is not read."""


def _refusal(path: Path, why: str) -> UsageError:
    return UsageError(f"read {path}: {why}; ask its sender for a new one, made by kmodlab try --capsule")


def _members(path: Path) -> dict[str, bytes]:
    """The content of a zip by name, within limits that do not rest on what the zip says of itself."""
    if path.stat().st_size > _LARGEST_FILE:
        raise _Refused(f"it is larger than {_LARGEST_FILE >> 20} MiB")
    members: dict[str, bytes] = {}
    room = _MOST_BYTES
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_FILES:
            raise _Refused(f"it holds more than {_MOST_FILES} files")
        for entry in entries:
            _check_entry(entry, members)
            with archive.open(entry) as stream:
                content = stream.read(room + 1)
            room -= len(content)
            if room < 0:
                raise _Refused(f"it unpacks to more than {_MOST_BYTES >> 20} MiB")
            members[entry.filename] = content
    return members


def _check_entry(entry: zipfile.ZipInfo, seen: Mapping[str, bytes]) -> None:
    name = entry.filename
    parts = name.split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if not re.fullmatch(r"[^\0\\:]{1,300}", name) or {"", ".", ".."} & set(parts):
        raise _Refused(f"the name {name[:60]!r} leads out of it")
    if kind not in {0, stat.S_IFREG}:
        raise _Refused(f"{name[:60]!r} is no regular file")
    if name in seen:
        raise _Refused(f"{name[:60]!r} stands there twice")
    if entry.flag_bits & 1 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise _Refused(f"{name[:60]!r} is packed in another way than ours")


def _field(facts: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = facts[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Refused(f"its {name} is not of its kind")
    return value


def _source(facts: Mapping[str, Any], files: Mapping[str, bytes]) -> ModuleSource:
    name, modules = _field(facts, "name", str), _field(facts, "modules", list)
    if not re.fullmatch(r"[\w.+-]{1,100}", name):
        raise _Refused("the module's name cannot be had")
    for module in modules:
        check_name(str(module))
    if not any(file in files for file in ("Kbuild", "Makefile")):
        raise _Refused("it holds no Kbuild")
    shown, first = _field(facts, "shown", str), _field(facts, "first_line", int)
    single = _field(facts, "single", bool)
    return ModuleSource(name, MappingProxyType(dict(files)), tuple(map(str, modules)), shown[:100], first, single)


def _settings(facts: Mapping[str, Any]) -> Settings:
    parameters = {str(name): str(value) for name, value in _field(facts, "parameters", dict).items()}
    timeout = float(facts["timeout"])
    memory, cpus = (None if facts[name] is None else _field(facts, name, int) for name in ("memory", "cpus"))
    fits = 0.5 <= timeout <= 600
    fits = fits and (memory is None or 128 <= memory <= 4096) and (cpus is None or 1 <= cpus <= 16)
    if not fits:
        raise _Refused("it asks for more time, memory or processors than a trial may have")
    lines = tuple(str(line) for line in _field(facts, "exec", list))
    kernel = _field(facts, "kernel", str)
    return Settings(kernel, MappingProxyType(parameters), lines, timeout, memory, cpus, _field(facts, "ledger", bool))


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in what two verdicts differ, in words; empty if it came out the same. Times and addresses do not count."""
    found = []
    for name in ("verdict", "title", "kernel"):
        if was.get(name) != now.get(name):
            found.append(f"{name}: was {was.get(name)!r}, is {now.get(name)!r}")
    before, after = _place(was), _place(now)
    if before != after:
        found.append(f"where: was {before or 'nowhere'}, is {after or 'nowhere'}")
    return found


def _place(verdict: Mapping[str, Any]) -> str:
    where = verdict.get("where")
    return f"{where.get('file')}:{where.get('line')}" if isinstance(where, Mapping) else ""


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
