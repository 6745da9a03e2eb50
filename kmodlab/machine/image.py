# SPDX-License-Identifier: MIT
"""The guest's image: a userland of Debian packages, the kernel's whole tree of modules, and what starts them.

Nothing of it needs root. The packages' own scripts are not run: what they would do is little, and stands here.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kmodlab import process
from kmodlab.build.architecture import Architecture, architecture
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import ImageError
from kmodlab.host import apt
from kmodlab.host.deb import Deb, unpack
from kmodlab.host.state import locked, writing
from kmodlab.machine.cpio import initramfs
from kmodlab.progress import step
from kmodlab.resources import resource
from kmodlab.shared import pass_over, shared

__all__ = ["GuestImage", "ensure_image", "find_image", "guest_packages", "image_key"]

EARLY_MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "virtio_net",
    "squashfs",
    "overlay",
    "pvpanic_pci",
)
"""What must be loaded before the root file system is there, or is loaded once so that every clone has it."""

_FORM = 4  # raise it when the same inputs make another image

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost kmodlab\n::1 localhost\n",
    # Without it mount(8) takes the "no" of "-t notefs" as in "nofoo": any type but that.
    "etc/filesystems": "notefs\n*\n",
    "etc/hostname": "kmodlab\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/profile": "export PATH=/usr/sbin:/usr/bin:/sbin:/bin PS1='\\w # ' HOME=/root\n",
}
_FOLDERS = ("dev", "mnt", "proc", "root", "run", "sys", "tmp", "usr/lib/kmodlab", "var/tmp")
_LINKS = {
    "etc/machine-id": "../run/machine-id",  # written at each clone: on a tmpfs, not through the overlay
    "etc/mtab": "../proc/self/mounts",
    "usr/bin/awk": "mawk",
    "usr/bin/nc": "nc.openbsd",
}
_UNWANTED = ("doc", "man", "locale", "info", "lintian", "bash-completion", "i18n", "perl5", "bug")


@dataclass(frozen=True, slots=True)
class GuestImage:
    """What a machine boots from.

    Attributes:
        folder: where it lies in the cache.
        root: the root file system, a squashfs.
        initramfs: the first program, the agent, and the modules without which there is no root file system.
    """

    folder: Path

    @property
    def root(self) -> Path:
        """The root file system's file."""
        return self.folder / "root.squashfs"

    @property
    def initramfs(self) -> Path:
        """The initramfs' file."""
        return self.folder / "initramfs.cpio"

    @property
    def key(self) -> str:
        """What tells this image from those of other kernels and other programs."""
        return self.folder.name

    def made_of(self) -> tuple[str, ...]:
        """Return its packages, ``NAME=VERSION`` each: those that the archive had on the day when it was made."""
        try:
            return tuple(json.loads((self.folder / "image.json").read_text())["packages"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()


def image_key(kernel: KernelBuild) -> str:
    """Return the name of a kernel's image: its kernel, and a hash of all that lies in ``vm``."""
    digest = hashlib.sha256(f"{_FORM}\n".encode())
    for path in _sources():
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return f"{kernel.key}_{digest.hexdigest()[:12]}"


def find_image(kernel: KernelBuild) -> GuestImage | None:
    """Return the image of a kernel if it is there, shared or own."""
    own = settings().cache / "images" / image_key(kernel)
    place = shared(own)
    if place:
        if _whole(GuestImage(place)):
            return GuestImage(place)
        pass_over(place, "damaged")
    return GuestImage(own) if _whole(GuestImage(own)) else None


def ensure_image(kernel: KernelBuild) -> GuestImage:
    """Return the image of a kernel, making it if it is not there (about 30 MB of packages, 10 s of work).

    Raises:
        ImageError: a tool that makes it failed; the message holds the tool's words.
        HostSetupError: no network, no room on the disk, a tool is missing.
    """
    found = find_image(kernel)
    if found:
        return found
    image = GuestImage(settings().cache / "images" / image_key(kernel))
    with locked(Path(f"{image.folder}.lock"), "making the same guest image"), writing(image.folder.parent):
        if not _whole(image):
            _make(image, kernel)
    return image


def _whole(image: GuestImage) -> bool:
    """Whether an image is there with the sizes that its manifest names."""
    try:
        manifest = json.loads((image.folder / "image.json").read_text())
        return all((image.folder / name).stat().st_size == size for name, size in manifest["files"].items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def _make(image: GuestImage, kernel: KernelBuild) -> None:
    """Make an image beside its place and move it there in one step."""
    shutil.rmtree(image.folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=image.folder.parent, prefix=".new-") as temporary:
        work = Path(temporary)
        (work / "image").mkdir()
        made = GuestImage(work / "image")
        packages = _userland(work / "root", architecture(kernel.arch))
        with step("Packing the guest's root file system"):
            _add_modules(work / "root", kernel)
            _pack(work / "root", made.root)
        made.initramfs.write_bytes(initramfs(dict(_early(work, kernel))))
        files = {path.name: path.stat().st_size for path in (made.root, made.initramfs)}
        manifest = {"kernel": kernel.release, "packages": packages, "files": files}
        (made.folder / "image.json").write_text(json.dumps(manifest, indent=1))
        made.folder.rename(image.folder)


def _sources() -> list[Path]:
    """The files in ``vm`` that the image is made of."""
    return sorted(path for path in resource("vm").rglob("*") if path.suffix in {".c", ".h", ".txt"})


def _package_lists() -> tuple[list[str], set[str]]:
    """Read ``vm/packages.txt``: the packages wanted, and those that are never unpacked."""
    lines = (line.split("#")[0].split() for line in (resource("vm") / "packages.txt").read_text().splitlines())
    words = [line for line in lines if line]
    return [line[0] for line in words if len(line) == 1], {line[1] for line in words if line[0] == "-"}


def guest_packages(arch: Architecture | None = None) -> tuple[Deb, ...]:
    """Return the packages for the guest's root file system, also those that apt asks for and the guest does without.

    Args:
        arch: what they are for; this machine's own if None.

    Raises:
        HostSetupError: no network, or the machine's sources lack one.
    """
    wanted, _ = _package_lists()
    return apt.resolve(wanted, with_dependencies=True, architecture=arch.debian if arch else "")


def _userland(root: Path, arch: Architecture) -> list[str]:
    """Unpack the packages into a folder as a file system; return their names and versions."""
    _, never = _package_lists()
    debs = [deb for deb in guest_packages(arch) if deb.name not in never]
    unpack(apt.download(debs, architecture=arch.debian), root)
    for name in ("bin", "sbin", "lib", "lib64"):
        _merge_into_usr(root, name)
    for name in _UNWANTED:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        (root / name).write_text(text)
    for name, target in _LINKS.items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    return [f"{deb.name}={deb.version}" for deb in debs]


def _merge_into_usr(root: Path, name: str) -> None:
    """Move ``/NAME`` into ``/usr/NAME`` and leave a link, as Debian's usrmerge does on an installed system."""
    old, new = root / name, root / "usr" / name
    if old.is_symlink():
        return
    if old.is_dir():
        _move_tree(old, new)
    new.mkdir(parents=True, exist_ok=True)
    old.symlink_to(f"usr/{name}")


def _move_tree(source: Path, target: Path) -> None:
    """Move the content of a folder into another that may exist already."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in list(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and place.is_dir():
            _move_tree(entry, place)
        else:
            entry.rename(place)
    source.rmdir()


def _add_modules(root: Path, kernel: KernelBuild) -> None:
    """Put the kernel's modules into the tree, as hard links where the file system can."""
    target = root / "usr/lib/modules" / kernel.release
    shutil.copytree(kernel.modules, target, copy_function=_link_or_copy, symlinks=True)
    for name in ("build", "source"):  # links to headers that the guest does not have
        (target / name).unlink(missing_ok=True)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _pack(root: Path, image: Path) -> None:
    # lz4 unpacks three times as fast as zstd in an emulated guest, for 60 MB more on the disk.
    options = ("-comp", "lz4", "-all-root", "-noappend", "-no-progress", "-quiet", "-mkfs-time", "0", "-all-time", "0")
    _tool("pack the root file system", ["mksquashfs", root, image, *options])


def _early(work: Path, kernel: KernelBuild) -> Iterator[tuple[str, tuple[bytes, int]]]:
    """The members of the initramfs: path, content and permission bits."""
    vm, arch = resource("vm"), architecture(kernel.arch)
    arch.require_compiler()
    for name, sources in (("init", [vm / "init.c"]), ("agent", sorted((vm / "agent").glob("*.c")))):
        program = work / name
        flags = ("-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", program)
        _tool(f"compile the guest's {name}", [arch.guest_compiler, *flags, *sources])
        yield name, (program.read_bytes(), 0o755)
    modules = {f"modules/{path.name.removesuffix('.xz')}": path for path in _closure(kernel)}
    for name, path in modules.items():
        yield name, (_plain(path), 0o644)
    yield "modules.list", ("".join(f"/{name}\n" for name in modules).encode(), 0o644)


def _closure(kernel: KernelBuild) -> list[Path]:
    """The early modules and all that they need, in the order in which to load them (from ``modules.dep``)."""
    needs: dict[str, list[str]] = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in EARLY_MODULES:
        if name in by_name:  # what is not there is built into this kernel
            path = by_name[name]
            # modules.dep lists what a module needs with the most basic last.
            order += [needed for needed in (*reversed(needs[path]), path) if needed not in order]
    return [kernel.modules / path for path in order]


def _plain(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _tool(what: str, argv: list[str | os.PathLike[str]]) -> None:
    finished = process.run(argv, timeout=600)
    if finished.exit_status != 0:
        words = finished.text.strip().splitlines()
        last = words[-1] if words else "no words"
        raise ImageError(f"{what}: {last} (status {finished.exit_status}); ./lab doctor checks this host")
