# SPDX-License-Identifier: MIT
"""A kernel that its user has built: what boots is taken out of the build folder, modules are built against it.

A folder counts as it lies there now. When it was built anew, so is what was taken from it; `kmodlab.host.kernels` hands
every kernel that is named by a path to `adopt`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kmodlab import process
from kmodlab.build.architecture import ARCHITECTURES
from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.host import vmlinux
from kmodlab.host.state import locked, writing
from kmodlab.progress import step

__all__ = ["adopt", "adopted", "index_modules", "is_folder"]

_IMAGES = {"x86": "bzImage", "arm64": "Image"}
_RELEASE = "include/config/kernel.release"
_TELLING = (_RELEASE, ".config", "Module.symvers", "modules.order", "include/generated/autoconf.h")
"""Beside the image: what a build leaves, and what differs when another has taken place."""
_LISTS = ("modules.builtin", "modules.builtin.modinfo")

# Without these no guest comes up. As modules they do as well.
_NEEDED = (
    *("MODULES", "MODULE_UNLOAD", "KALLSYMS", "BLK_DEV_INITRD", "PROC_FS", "SYSFS", "TMPFS", "DEVTMPFS", "INET"),
    *("VIRTIO_PCI", "VIRTIO_BLK", "VIRTIO_CONSOLE", "VIRTIO_NET", "SQUASHFS", "SQUASHFS_LZ4", "OVERLAY_FS"),
)


def is_folder(wish: str) -> bool:
    """Whether a kernel is meant by its build folder's path: no release has a slash in it."""
    return "/" in wish or wish in {".", ".."}


def adopt(folder: str | Path) -> KernelBuild:
    """Return the kernel that lies built in a folder: where ``make`` ran, or its ``O=``.

    Its modules are those in ``lib/modules`` there (``make modules_install INSTALL_MOD_PATH=FOLDER``), else those that
    ``make modules`` left. They are copied, without debugging information; modules are built against the folder itself.

    Raises:
        UsageError: it holds no kernel, only half of one, or one that cannot run a guest; all that is missing is named.
        HostSetupError: there is no room, or a tool is missing.
    """
    tree = Path(folder).resolve()
    image = _whole(tree)
    release = (tree / _RELEASE).read_text().strip()
    arch = next(one.name for one in ARCHITECTURES if one.folder == image.parent.parent.name)
    version = f"local-{_digest(tree, image)}"
    target = _place() / f"{release}_{version}"
    kernel = KernelBuild(release, arch, version, target / "root", f"build folder {tree}", tree)
    with writing(_place()), locked(_place() / "lock", "taking a kernel out of its build folder"):
        if not (target / "kernel.json").exists():
            with step(f"Taking Linux {release} out of {tree}"):
                _make(kernel, image)
    return kernel


def adopted() -> list[KernelBuild]:
    """Return the kernels whose build folders were named before and are as they were."""
    found = []
    for folder, facts in _notes():
        tree, release = Path(facts["tree"]), facts["release"]
        with contextlib.suppress(OSError):
            version = f"local-{_digest(tree, tree / facts['image'])}"
            if folder.name == f"{release}_{version}":
                found.append(
                    KernelBuild(release, facts["arch"], version, folder / "root", f"build folder {tree}", tree)
                )
    return found


def _notes() -> Iterator[tuple[Path, dict[str, str]]]:
    """What was taken out of folders: where it lies, and what was noted of it."""
    for note in sorted(_place().glob("*/kernel.json")):
        with contextlib.suppress(OSError, ValueError):
            yield note.parent, json.loads(note.read_text())


def index_modules(root: Path, release: str) -> None:
    """Make the indexes of a tree of modules: ``modules.dep`` and its like.

    Raises:
        HostSetupError: depmod is not there, or failed.
    """
    depmod = process.which("depmod")
    if depmod is None:
        raise HostSetupError(f"index the modules of {release}: no depmod here; apt-get install kmod")
    finished = process.run([depmod, "-b", root, release], timeout=300)
    if finished.exit_status != 0 or not (root / "lib" / "modules" / release / "modules.dep").exists():
        raise HostSetupError(f"index the modules of {release}: {finished.text.strip() or 'failed'}; try again")


def _place() -> Path:
    return settings().cache / "kernels" / "local"


def _whole(tree: Path) -> Path:
    """The image of the kernel in a folder that has all that is needed.

    Raises:
        UsageError: it has not.
    """
    if not (tree / "Makefile").is_file() or not (tree / ".config").is_file():
        raise UsageError(f"use kernel {tree}: no kernel was built there; give the folder in which make ran, or its O=")
    images = [tree / "arch" / name / "boot" / file for name, file in _IMAGES.items()]
    image = next((one for one in images if one.is_file()), None)
    missing = [name for name in _TELLING if not (tree / name).is_file()]
    if image is None:
        missing.insert(0, " or ".join(str(one.relative_to(tree)) for one in images))
    if image is None or missing:
        raise UsageError(f"use kernel {tree}: {', '.join(missing)} not there; run make in it, which makes all of these")
    config = (tree / ".config").read_text(errors="replace")
    lacking = [name for name in _NEEDED if not re.search(rf"^CONFIG_{name}=[ym]$", config, re.MULTILINE)]
    if lacking:
        options = " ".join(f"-e {name}" for name in lacking)
        raise UsageError(
            f"use kernel {tree}: its guest would not come up without CONFIG_{', CONFIG_'.join(lacking)}; "
            f"run scripts/config {options}, make olddefconfig and make"
        )
    return image


def _digest(tree: Path, image: Path) -> str:
    """What tells this build of the folder from any other: places, sizes and times of what each build writes anew.

    Raises:
        OSError: a file has gone.
    """
    places = (image, *(tree / name for name in _TELLING), _installed(tree) / "modules.dep")
    facts = [(str(path), *_size_and_time(path)) for path in places]
    return hashlib.sha256(json.dumps([str(tree), facts]).encode()).hexdigest()[:12]


def _size_and_time(path: Path) -> tuple[int, int]:
    if path.name == "modules.dep" and not path.exists():
        return 0, 0
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _installed(tree: Path) -> Path:
    try:
        return tree / "lib" / "modules" / (tree / _RELEASE).read_text().strip()
    except OSError:
        return tree / "lib" / "modules"


def _make(kernel: KernelBuild, image: Path) -> None:
    assert kernel.tree is not None
    target = kernel.root.parent
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
        folder = Path(temporary) / "kernel"
        root = folder / "root"
        (root / "boot").mkdir(parents=True)
        shutil.copy2(kernel.tree / ".config", root / "boot" / kernel.config.name)
        (root / "boot" / kernel.image.name).write_bytes(_bootable(image, kernel))
        _copy_modules(kernel.tree, root / "lib" / "modules" / kernel.release)
        (root / "usr" / "lib").mkdir(parents=True)
        (root / "usr" / "lib" / "modules").symlink_to("../../lib/modules")
        index_modules(root, kernel.release)
        facts = {"release": kernel.release, "arch": kernel.arch, "tree": str(kernel.tree)}
        facts["image"] = str(image.relative_to(kernel.tree))
        (folder / "kernel.json").write_text(json.dumps(facts, indent=1) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    for old in _notes():
        if old[0] != target and old[1]["tree"] == facts["tree"]:
            shutil.rmtree(old[0], ignore_errors=True)


def _bootable(image: Path, kernel: KernelBuild) -> bytes:
    """The uncompressed kernel, if this one can be started so; else the image as it is, which takes longer to boot."""
    content = image.read_bytes()
    direct = kernel.arch != "x86_64" or "\nCONFIG_PVH=y\n" in kernel_config(kernel)
    return vmlinux.extract(content) if direct else content


def kernel_config(kernel: KernelBuild) -> str:
    """Return the text of the ``.config`` in a kernel's build folder."""
    assert kernel.tree is not None
    return (kernel.tree / ".config").read_text(errors="replace")


def _copy_modules(tree: Path, target: Path) -> None:
    """Copy the installed modules, or lay those of the folder out as ``make modules_install`` does."""
    installed = _installed(tree)
    if (installed / "modules.dep").is_file():
        links = shutil.ignore_patterns("build", "source")
        shutil.copytree(installed, target, symlinks=True, ignore=links)
        return
    paths = list(_in_order((tree / "modules.order").read_text()))
    lost = [path for path in paths if not (tree / path).is_file()]
    if lost:
        raise UsageError(f"use kernel {tree}: {lost[0]} not there, nor {len(lost) - 1} others; run make modules in it")
    for path in paths:
        place = target / "kernel" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, place)
    _strip([target / "kernel" / path for path in paths])
    (target / "modules.order").write_text("".join(f"kernel/{path}\n" for path in paths))
    for name in _LISTS:
        if (tree / name).is_file():
            shutil.copyfile(tree / name, target / name)


def _in_order(text: str) -> Iterator[str]:
    """The paths of ``modules.order``, which names objects since Linux 6.4, and modules before."""
    for line in text.split():
        yield f"{line.removeprefix('kernel/').rpartition('.')[0]}.ko"


def _strip(files: Sequence[Path]) -> None:
    """Take the debugging information away, as ``INSTALL_MOD_STRIP=1`` does: it is most of a module."""
    for at in range(0, len(files), 500):
        argv: list[str | os.PathLike[str]] = ["strip", "--strip-debug", *files[at : at + 500]]
        process.run(argv, timeout=300)  # what another architecture's strip cannot read stays as it is
