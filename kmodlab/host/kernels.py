# SPDX-License-Identifier: MIT
"""The kernels in the cache: fetched as Debian packages, unpacked without root, made ready to build against and to boot.

A kernel's folder ``kernels/KEY`` holds ``root`` (its packages, laid out as in ``/``) and ``kernel.json``, written last:
without it, or where a file is not as it says, the kernel is made anew.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kmodlab import process
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.host import apt, local, vmlinux
from kmodlab.host.deb import discard, unpack
from kmodlab.host.kernel_packages import ARCHITECTURES, KernelPackages, archive_for, resolve_kernel
from kmodlab.host.state import disk_full, locked, machine_release, need_room
from kmodlab.progress import step
from kmodlab.shared import pass_over, shared

__all__ = [
    "default_kernel",
    "ensure_kernel",
    "find_kernel",
    "find_kernels",
    "take_kernel",
]

_TOOLS = {"depmod": "kmod", "zstd": "zstd"}
"""The programs that make a kernel ready, and their packages."""

_RELEASE = re.compile(r"[0-9][A-Za-z0-9.+~-]*\Z")
_ROOM = 1_000_000_000  # bytes that the largest stock kernel takes while it is made
_UNWANTED = ("usr/share", "etc", "boot/System.map-{release}", "lib/modules/{release}/System.map")
_BOOT = ("vmlinuz", "config")
_FORM = 1  # raise it when what lies in a kernel's folder changes
_DEFAULT = "default.json"  # names the folder of the kernel that is used where none is named


def default_kernel() -> KernelBuild:
    """Return the kernel that is used unless one is named; it is there already, nothing is fetched.

    Raises:
        HostSetupError: none is set up.
    """
    kernel = _default()
    if kernel is None:
        raise HostSetupError("find a kernel: none is set up; run ./lab setup")
    return kernel


def find_kernels() -> list[KernelBuild]:
    """Return the kernels that are there whole, in the order of their names; those that are shared come before own."""
    bases = (base for base in (shared(_folder()), _folder()) if base)
    names = sorted({path.parent.name for base in bases for path in base.glob("*/kernel.json")})
    return [kernel for kernel in map(_find, names) if kernel]


def ensure_kernel(release: str | None = None, archive: apt.PrivateApt | None = None) -> KernelBuild:
    """Return a kernel, fetching it and making it ready if it is not there (85 to 130 MB, half a minute of work).

    Args:
        release: as ``uname -r`` prints it, or the path of a folder in which one was built; None for Debian's stock
            kernel of this machine's own release.
        archive: where to fetch it from; the machine's own sources if None.

    Raises:
        UsageError: `release` cannot be the name of a kernel, or there is none in that folder.
        HostSetupError: no network, no such kernel, no room on the disk, a tool is missing.
    """
    if release is not None and local.is_folder(release):
        return local.adopt(release)
    if release is not None and not _RELEASE.match(release):
        raise UsageError(
            f"use kernel {release!r}: not a kernel's release; they look like 6.1.0-56-amd64, and a folder has a / in it"
        )
    kernel = _default() if release is None else _by_release(release)
    if kernel:
        return kernel
    with locked(_folder() / "lock", "setting up a kernel"):
        kernel = _default() if release is None else _by_release(release)
        if kernel is None:
            kernel = _fetch(release, archive or archive_for(release))
        if release is None:
            _write_json(_folder() / _DEFAULT, {"folder": kernel.root.parent.name})
    return kernel


def take_kernel(release: str, version: str, archive: apt.PrivateApt | None = None) -> KernelBuild:
    """Return the kernel of just this version, fetched if need be, and let it be the default one from now on.

    Args:
        release: as ``uname -r`` prints it.
        version: of its packages.
        archive: where to fetch it from; the machine's own sources if None.

    Raises:
        UsageError: `release` or `version` cannot be meant.
        HostSetupError: as for `ensure_kernel`.
    """
    if not _RELEASE.match(release) or not _RELEASE.match(version):
        raise UsageError(f"use kernel {release!r} ({version!r}): not a kernel's release and version")
    with locked(_folder() / "lock", "setting up a kernel"):
        kernel = find_kernel(release, version) or _fetch(release, archive or archive_for(release), version)
        _write_json(_folder() / _DEFAULT, {"folder": kernel.root.parent.name, "pinned": True})
    return kernel


def find_kernel(release: str, version: str) -> KernelBuild | None:
    """Return the kernel of just this version if it is there whole."""
    return next((kernel for kernel in find_kernels() if (kernel.release, kernel.version) == (release, version)), None)


def _fetch(release: str | None, archive: apt.PrivateApt, version: str = "") -> KernelBuild:
    packages = resolve_kernel(release, archive, version)
    kernel = find_kernel(packages.release, packages.version) if version else _by_release(packages.release)
    if kernel is None:
        try:
            kernel = _make(packages, archive)
        except apt.StaleLists:
            kernel = _make(resolve_kernel(release, archive, version), archive)
    return kernel


def _folder() -> Path:
    return settings().cache / "kernels"


def _default() -> KernelBuild | None:
    """The default kernel: the shared cache's, unless this user has taken one that a course pins."""
    own = _named(_folder() / _DEFAULT)
    if own and own.get("pinned"):
        return _find(own["folder"])
    place = shared(_folder() / _DEFAULT)
    theirs = _named(place) if place else None
    return (_find(theirs["folder"]) if theirs else None) or (_find(own["folder"]) if own else None)


def _named(file: Path) -> dict[str, Any] | None:
    """What a file says that names the default kernel."""
    try:
        facts = json.loads(file.read_text())
        return facts if Path(facts["folder"]).name == facts["folder"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _find(name: str) -> KernelBuild | None:
    """The kernel of a folder of that name, shared or own."""
    place = shared(_folder() / name)
    if place:
        kernel = _read(place)
        if kernel:
            return kernel
        pass_over(place, "damaged")
    return _read(_folder() / name)


def _by_release(release: str) -> KernelBuild | None:
    return next((kernel for kernel in reversed(find_kernels()) if kernel.release == release), None)


def _read(folder: Path) -> KernelBuild | None:
    """The kernel in a folder, or None if it is not there whole."""
    try:
        manifest = json.loads((folder / "kernel.json").read_text())
        if manifest["form"] != _FORM:
            return None
        for name, size in manifest["files"].items():
            if (folder / "root" / name).stat().st_size != size:
                return None
        fields = (manifest["release"], manifest["arch"], manifest["version"], folder / "root", manifest["source"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return KernelBuild(*fields)


def _make(packages: KernelPackages, archive: apt.PrivateApt) -> KernelBuild:
    """Make a kernel's folder beside its place and move it there in one step."""
    arch = ARCHITECTURES[packages.debs[0].architecture]
    target = _folder() / f"{packages.release}_{packages.version}"
    need_room(target, _ROOM + packages.size, "a kernel")
    files = archive.download(packages.debs)
    for tool, package in _TOOLS.items():
        if process.which(tool) is None:
            raise HostSetupError(f"unpack kernel {packages.release}: no {tool} here; apt-get install {package}")
    shutil.rmtree(target, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
            folder = Path(temporary) / "kernel"
            source = archive.title or machine_release()
            kernel = KernelBuild(packages.release, arch, packages.version, folder / "root", source)
            unpack(files, kernel.root, keep=True)
            with step("Making the kernel ready to boot and to build against"):
                _make_ready(kernel)
            _write_manifest(kernel)
            folder.rename(target)
        discard(files)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full(target, _ROOM) from error
        raise
    made = _read(target)
    if made is None:
        raise HostSetupError(f"set up kernel {packages.release}: {target} is not whole after it was made; try again")
    return made


def _make_ready(kernel: KernelBuild) -> None:
    _settle_modules(kernel.root)
    _settle_boot(kernel)
    for name in _UNWANTED:
        path = kernel.root / name.format(release=kernel.release)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    packed = kernel.root / "boot" / f"vmlinuz-{kernel.release}"
    kernel.image.write_bytes(vmlinux.extract(packed.read_bytes()))
    local.index_modules(kernel.root, kernel.release)


def _settle_modules(root: Path) -> None:
    """Let the modules lie below ``lib``, with a link below ``usr/lib``, where newer packages and depmods have them."""
    new, old = root / "usr" / "lib" / "modules", root / "lib" / "modules"
    if new.is_dir() and not old.exists():
        old.parent.mkdir(exist_ok=True)
        new.rename(old)
    if not new.exists():
        new.parent.mkdir(parents=True, exist_ok=True)
        new.symlink_to("../../lib/modules")


def _settle_boot(kernel: KernelBuild) -> None:
    """Let the kernel and its configuration lie in ``boot``: since Linux 7 they come beside the modules."""
    boot = kernel.root / "boot"
    boot.mkdir(exist_ok=True)
    for name in _BOOT:
        beside = kernel.modules / name
        if beside.exists():
            beside.rename(boot / f"{name}-{kernel.release}")


def _write_manifest(kernel: KernelBuild) -> None:
    files = {str(path.relative_to(kernel.root)): path.stat().st_size for path in _telling(kernel)}
    fields = {"release": kernel.release, "arch": kernel.arch, "version": kernel.version, "source": kernel.source}
    _write_json(kernel.root.parent / "kernel.json", {"form": _FORM, **fields, "files": files})


def _telling(kernel: KernelBuild) -> Iterator[Path]:
    """The files whose sizes are looked at on every start: few, and those that an accident is likely to hit."""
    headers = kernel.root / "usr" / "src" / f"linux-headers-{kernel.release}"
    yield from (kernel.image, kernel.config, headers / "Module.symvers", headers / "Makefile")
    yield from (kernel.modules / f"modules.{name}" for name in ("dep", "order", "builtin", "symbols"))


def _write_json(path: Path, content: dict[str, object]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)
