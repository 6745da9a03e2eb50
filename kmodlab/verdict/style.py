# SPDX-License-Identifier: MIT
"""The kernel's own style checker, ``checkpatch.pl``: where it is to be had, and what it says of a module's source."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from kmodlab.build.cache import Store
from kmodlab.build.definitions import source_archives
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.sandbox import Job, choose
from kmodlab.build.source import ModuleSource
from kmodlab.config import settings
from kmodlab.errors import HostSetupError

__all__ = ["checkpatch"]

_SCRIPT = "checkpatch.pl"
_FILES = (_SCRIPT, "spelling.txt", "const_structs.checkpatch")
_IN = "module/"
_LARGEST = 4 << 20
_OBJECT = re.compile(r"[\w./+-]+(?=\.o\b)")
_LINE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+): (?P<severity>ERROR|WARNING|CHECK):\s*(?P<message>.*)$")


def checkpatch(code: ModuleSource, kernel: KernelBuild) -> list[Diagnostic]:
    """Return what ``checkpatch.pl --no-tree --strict`` says of the C files that a module is made of.

    Raises:
        HostSetupError: the script, or the Perl that it needs, is not at hand; the message says what to install.
        SandboxError: it was stopped at a limit.
    """
    folder = _folder(kernel)
    # In a folder: it takes what begins as the bare name of a file does (scribble.changed) for that name.
    files = {f"{_IN}{name}": code.files[name] for name in _parts(code)}
    job = Job(
        "check the style",
        ("perl", f"/checkpatch/{_SCRIPT}", "--no-tree", "--strict", "--terse", "--no-summary", "-f", *files),
        files,
        binds=((folder, Path("/checkpatch")),),
        env={"LC_ALL": "C"},
    )
    done = choose().run(job)
    found = list(_diagnostics(done.output, code))
    # 1 is its status for what it complains about; with any other, and for one without a complaint, it did not work.
    if done.exit_status not in {0, 1} or (done.exit_status and not found):
        said = (done.output.strip().splitlines() or ["it says nothing"])[0]
        raise HostSetupError(f"run {_SCRIPT}: {said}; it needs all of Perl: apt-get install perl")
    return found


def _parts(code: ModuleSource) -> list[str]:
    """The C files of a module: those whose objects its Kbuild names, and the headers beside them.

    A folder may hold programs as well, which are not the kernel's business. If the Kbuild does not tell, all are meant.
    """
    described = code.files.get("Kbuild", code.files.get("Makefile", b"")).decode(errors="replace")
    objects = {word.lstrip("./") for word in _OBJECT.findall(described)}
    sources = [name for name in code.files if name.endswith(".c")]
    named = [name for name in sources if name.removesuffix(".c") in objects] or sources
    folders = {name.rpartition("/")[0] for name in named}
    return [*named, *(name for name in code.files if name.endswith(".h") and name.rpartition("/")[0] in folders)]


def _diagnostics(output: str, code: ModuleSource) -> Iterator[Diagnostic]:
    for line in output.splitlines():
        if found := _LINE.search(line):
            file, number = code.place(found["file"].removeprefix(_IN), int(found["line"]))
            yield Diagnostic(file, number, None, "warning", f"{found['severity'].lower()}: {found['message']}")


def _folder(kernel: KernelBuild) -> Path:
    """The folder that the script lies in: of an unpacked source tree, or taken out of a source package's archive.

    Raises:
        HostSetupError: there is neither.
    """
    for root in (kernel.root, Path("/")):
        if trees := sorted(root.glob(f"usr/src/*/scripts/{_SCRIPT}")):
            return trees[-1].parent
    # The script hardly changes from one kernel to the next, so any will do, and the kernel's own is best.
    for archive in source_archives(kernel):
        with contextlib.suppress(tarfile.TarError, OSError, EOFError):
            return _taken_out(archive)
    raise HostSetupError(
        f"find {_SCRIPT}: it comes with the kernel's source package only, which is not at hand; "
        f"apt-get install linux-source-{kernel.series}"
    )


def _taken_out(archive: Path) -> Path:
    """The cache's folder with the script out of an archive. The first time this takes some twenty seconds."""
    facts = archive.stat()
    key = hashlib.sha256(f"{archive.name} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:40]
    store = Store(settings().cache / "style")
    entry = store.get(key)
    if entry is None:
        files = {}
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                if name in _FILES and folder.endswith("/scripts") and member.isfile() and member.size < _LARGEST:
                    content = tar.extractfile(member)
                    files[name] = content.read() if content else b""
                    if len(files) == len(_FILES):
                        break
        if _SCRIPT not in files:
            raise tarfile.ReadError(f"{archive} holds no {_SCRIPT}")
        entry = store.put(key, files, {"archive": archive.name})
    return entry.folder
