# SPDX-License-Identifier: MIT
"""``kmodlab.lock`` beside a course's notebooks: what students, graders and CI agree on, so that a difference is named.

Held is what decides how an answer fares: the kernel, the compiler, the guest's programs, and kmodlab with its Python
packages. QEMU and the accelerator are not: a module that fares otherwise under another QEMU is a finding, no mismatch.
A course without a lock takes whatever Debian has.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kmodlab
from kmodlab.build.kbuild import toolchain
from kmodlab.build.kernel import KernelBuild
from kmodlab.course.exercise import course_folder
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.host import kernels
from kmodlab.host.bootstrap import LOCK
from kmodlab.host.state import machine_release
from kmodlab.machine.image import find_image
from kmodlab.progress import say

__all__ = ["NAME", "Lock", "course_lock", "find_lock", "hold", "mismatch", "present", "read_lock", "write_lock"]

NAME = "kmodlab.lock"
"""The file's name."""

_FORM = 1
_HEAD = """# SPDX-License-Identifier: MIT
# Written by `kmodlab lock`: what students, graders and CI agree on.
"""


@dataclass(frozen=True, slots=True)
class Lock:
    """What a course is held to.

    Attributes:
        kmodlab: its version.
        python: a hash of the list of Python packages that comes with it.
        system: ``Debian bookworm``.
        release: the kernel's, as ``uname -r`` prints it.
        version: of the kernel's packages.
        compiler: what compiler and linker call themselves; empty where there are none.
        guest: the guest's packages, ``NAME=VERSION`` each; empty where no image was made.
    """

    kmodlab: str
    python: str
    system: str
    release: str
    version: str
    compiler: str
    guest: tuple[str, ...]

    def __str__(self) -> str:
        """Return the text of the file."""
        facts = {"form": _FORM, **dataclasses.asdict(self)}
        packages = "".join(f"  {json.dumps(one)},\n" for one in facts.pop("guest"))
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in facts.items())
        return f"{_HEAD}{lines}guest = [\n{packages}]\n"


def present(kernel: KernelBuild | None = None) -> Lock:
    """Return what there is here.

    Args:
        kernel: the kernel in use; the default one if None.

    Raises:
        HostSetupError: no kernel is set up.
    """
    used = kernel or kernels.default_kernel()
    try:
        compiler = toolchain(used).version
    except HostSetupError:
        compiler = ""
    image = find_image(used)
    packages = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    guest = image.made_of() if image else ()
    return Lock(kmodlab.__version__, packages, machine_release(), used.release, used.version, compiler, guest)


def find_lock(folder: Path) -> Path | None:
    """Return the lock of a folder with notebooks, or of one with a folder ``notebooks``; None if there is none."""
    places = (folder / NAME, folder / "notebooks" / NAME)
    return next((place for place in places if place.is_file()), None)


def course_lock() -> Path | None:
    """Return the lock of the working folder, or else of the course that it belongs to; None if there is none."""
    return find_lock(Path.cwd()) or find_lock(course_folder().parent)


def read_lock(path: Path) -> Lock:
    """Return what a lock holds.

    Raises:
        UsageError: it is not there, or it is damaged.
    """
    try:
        facts: dict[str, Any] = tomllib.loads(path.read_text())
        if facts.pop("form") != _FORM:
            raise ValueError("it is of another form")
        made = Lock(**{**facts, "guest": tuple(facts["guest"])})
        if not all(isinstance(word, str) for word in (*dataclasses.astuple(made)[:-1], *made.guest)):
            raise ValueError("not all of it is text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"read {path}: {error}; kmodlab lock writes it anew") from None
    return made


def write_lock(folder: Path) -> Path:
    """Write what there is here into the lock of a folder with notebooks, and return the lock's path.

    Raises:
        UsageError: there are no notebooks.
        HostSetupError: not all is set up, or it cannot be written.
    """
    place = folder / "notebooks" if (folder / "notebooks").is_dir() else folder
    if not any(place.glob("*.ipynb")):
        raise UsageError(f"lock {folder}: no notebook there; give the folder of a course")
    here = present()
    if not here.compiler or not here.guest:
        raise HostSetupError("lock: the set-up is not whole, so there is nothing to hold others to; run ./lab setup")
    try:
        (place / NAME).write_text(str(here))
    except OSError as error:
        raise HostSetupError(f"write {place / NAME}: {error.strerror}; give a folder that you may write to") from error
    return place / NAME


def mismatch(path: Path, kernel: KernelBuild | None = None) -> str:
    """Return in one sentence how what is here differs from a lock; empty if it does not.

    Args:
        path: the lock.
        kernel: the kernel in use; the default one if None.

    Raises:
        UsageError: the lock is damaged.
        HostSetupError: no kernel is set up.
    """
    locked, here = read_lock(path), present(kernel)
    found = list(_differences(locked, here))
    if not found:
        return ""
    if locked.system != here.system:
        advice = f"use a machine with {locked.system}, or let the course's author lock it anew"
    elif (locked.release, locked.version) != (here.release, here.version):
        advice = f"./lab setup --lock {path} takes the locked kernel where it can still be had"
    elif locked.kmodlab != here.kmodlab:
        advice = f"use kmodlab {locked.kmodlab}"
    else:
        advice = "who keeps the course writes it anew with kmodlab lock"
    return f"{path} locks {'; '.join(found)}; {advice}"


def _differences(locked: Lock, here: Lock) -> Iterator[str]:
    """What differs, the weightiest first. On another system all does, and one word says so."""
    if locked.system != here.system:
        yield f"{locked.system}, and this is {here.system}"
        return
    if (locked.release, locked.version) != (here.release, here.version):
        yield f"kernel {locked.release} ({locked.version}), and {here.release} ({here.version}) is used"
    if here.compiler and locked.compiler != here.compiler:
        yield f"the compiler {locked.compiler}, and {here.compiler} is here"
    if here.guest:
        yield from _packages(locked.guest, here.guest)
    if locked.kmodlab != here.kmodlab:
        yield f"kmodlab {locked.kmodlab}, and this is {here.kmodlab}"
    elif locked.python != here.python:
        yield f"the Python packages of list {locked.python}, and this kmodlab has {here.python}"


def _packages(locked: Iterable[str], here: Iterable[str]) -> Iterator[str]:
    wanted, there = (dict(one.partition("=")[::2] for one in each) for each in (locked, here))
    names = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if names:
        first, more = names[0], f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        yield f"the guest's {first} {wanted.get(first, 'away')}{more}, and {there.get(first, 'none')} is in its image"


def hold(folders: Iterable[Path], *, insist: bool, kernel: KernelBuild | None = None) -> None:
    """Compare what is here with the locks of some folders, and say how it differs.

    Args:
        folders: with notebooks, or of courses; those without a lock are not compared.
        insist: raise instead of saying it.
        kernel: the kernel in use; the default one if None.

    Raises:
        HostSetupError: it differs, or no kernel is set up.
        UsageError: a lock is damaged.
    """
    locks = dict.fromkeys(lock for folder in folders if (lock := find_lock(folder)))
    for words in filter(None, (mismatch(lock, kernel) for lock in locks)):
        if insist:
            raise HostSetupError(f"go by the lock: {words}")
        say(f"kmodlab: {words}")
