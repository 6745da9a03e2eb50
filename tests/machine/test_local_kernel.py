# SPDX-License-Identifier: MIT
"""A folder in which a kernel was built, as a kernel: booted, built against, taken anew when it has changed."""

from __future__ import annotations

import lzma
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.source import ModuleSource
from kmodlab.config import settings
from kmodlab.errors import UsageError
from kmodlab.host import kernels, local
from kmodlab.host.offers import offers
from kmodlab.resources import resource
from tests.build.test_build import version_of

pytestmark = [pytest.mark.machine, pytest.mark.build]

SHOWN = ("crc8", "virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "squashfs", "overlay", "pvpanic-pci")


def lay_out(kernel: KernelBuild, tree: Path) -> Path:
    """Put the files of Debian's packages where a build would have left them."""
    flavour = kernel.headers_here
    (common,) = flavour.parent.glob("linux-headers-*-common")
    for part in (common, flavour):
        links = [path.name for path in part.iterdir() if path.is_symlink()]
        shutil.copytree(part, tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*links, ".kernelvariables"))
    shutil.copyfile(common / "Makefile", tree / "Makefile")
    (tree / "include/config/kernel.release").write_text(f"{kernel.release}\n")
    for name in ("scripts", "tools"):
        shutil.copytree(flavour / name, tree / name, symlinks=True)
    (tree / "arch/x86/boot").mkdir(exist_ok=True)
    shutil.copyfile(kernel.root / "boot" / f"vmlinuz-{kernel.release}", tree / "arch/x86/boot/bzImage")
    wanted = {name.replace("-", "_") for name in SHOWN}
    order = []
    for line in _with_needs(kernel, wanted):
        content = (kernel.modules / line).read_bytes()
        place = tree / Path(line.removesuffix(".xz")).relative_to("kernel")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(lzma.decompress(content) if line.endswith(".xz") else content)
        order.append(str(place.relative_to(tree).with_suffix(".o" if version_of(kernel) >= (6, 4) else ".ko")))
    (tree / "modules.order").write_text("".join(f"{path}\n" for path in order))
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        shutil.copyfile(kernel.modules / name, tree / name)
    return tree


def _with_needs(kernel: KernelBuild, names: set[str]) -> list[str]:
    found: dict[str, None] = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        if Path(path).name.partition(".")[0].replace("-", "_") in names:
            found |= dict.fromkeys((path, *needs.split()))
    return list(found)


@pytest.fixture
def tree(kernel: KernelBuild, tmp_path: Path) -> Iterator[Path]:
    if kernel.arch != "x86_64":
        pytest.skip("the folder is laid out as a build for x86_64 leaves it")
    yield lay_out(kernel, tmp_path / "linux")
    for left in local.adopted():
        if left.tree and left.tree.is_relative_to(tmp_path):
            shutil.rmtree(left.root.parent)
            for other in settings().cache.glob(f"*/*{left.version}*"):
                other.unlink() if other.is_file() else shutil.rmtree(other, ignore_errors=True)


def test_a_module_is_built_against_the_folder_and_runs_in_its_kernel(tree: Path) -> None:
    mine = kernels.ensure_kernel(str(tree))
    assert mine.tree == tree
    assert mine.source == f"build folder {tree}"
    built = build(ModuleSource.from_path(resource("lab_modules") / "hello"), mine)
    assert built.how == "fast"
    with kmodlab.Machine(str(tree)) as vm:
        assert vm.run("uname -r").stdout.strip() == mine.release
        vm.insmod(built)
        assert vm.dmesg().containing("hello:")
        vm.modprobe("crc8")
        assert vm._template
        frozen = vm._template.folder
    shutil.rmtree(frozen)
    frozen.with_name(f"{frozen.name}.lock").unlink()
    assert (mine.release, mine.source, True, False) in {
        (one.release, one.source, one.ready, one.default) for one in offers()
    }
    # Debian's own of the same release is found by its name as ever.
    assert kernels.ensure_kernel(mine.release).tree is None


def test_what_was_built_anew_is_taken_anew(tree: Path) -> None:
    first = local.adopt(tree)
    assert local.adopt(tree) == first
    os.utime(tree / "arch/x86/boot/bzImage", ns=(1, 1))
    assert first not in local.adopted()
    assert local.adopt(tree).key != first.key


def test_what_is_missing_is_said(tree: Path) -> None:
    (tree / "Module.symvers").unlink()
    (tree / "modules.order").rename(tree / "order")
    with pytest.raises(UsageError, match=r"Module\.symvers, modules\.order not there; run make in it"):
        local.adopt(tree)
    (tree / "Module.symvers").touch()
    (tree / "order").rename(tree / "modules.order")
    config = (tree / ".config").read_text()
    (tree / ".config").write_text(config.replace("CONFIG_OVERLAY_FS=m", "# CONFIG_OVERLAY_FS is not set"))
    with pytest.raises(UsageError, match=r"without CONFIG_OVERLAY_FS; run scripts/config -e OVERLAY_FS,"):
        local.adopt(tree)
    (tree / ".config").write_text(config)
    (tree / "lib" / "crc8.ko").unlink()
    with pytest.raises(UsageError, match=r"lib/crc8\.ko not there"):
        local.adopt(tree)


def test_an_empty_folder_is_no_kernel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no kernel was built there"):
        kernels.ensure_kernel(str(tmp_path))
