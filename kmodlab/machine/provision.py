# SPDX-License-Identifier: MIT
"""From a wish (this kernel, that much memory) to a frozen machine, making on the way what is missing."""

from __future__ import annotations

import os
from functools import cache as once
from pathlib import Path

from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.host import kernels
from kmodlab.machine import accelerator
from kmodlab.machine.image import GuestImage, ensure_image, find_image
from kmodlab.machine.qemu import Hardware
from kmodlab.machine.template import Template, ensure_template, find_template, ready
from kmodlab.records.elf import ModuleFile, read_module

__all__ = ["module_paths", "ready_template", "template", "tree_file", "tree_path"]


def template(kernel: KernelBuild | str | None, memory: int, cpus: int) -> Template:
    """Return the frozen machine for a wish.

    Args:
        kernel: a kernel, its release, or None for the one of this host's Debian release.
        memory: MiB.
        cpus: virtual processors.

    Raises:
        HostSetupError, ImageError, MachineError: what is missing could not be made.
    """
    built = kernel if isinstance(kernel, KernelBuild) else kernels.ensure_kernel(kernel)
    image = ensure_image(built)
    chosen = "tcg"
    if built.arch == os.uname().machine:  # KVM runs no other
        chosen = accelerator.choose(lambda: _try_kvm(built, image, memory, cpus))
    return ensure_template(built, image, Hardware(built.arch, chosen, cpus, memory))


def ready_template(kernel: KernelBuild, memory: int, cpus: int) -> Template | None:
    """Return the frozen machine for a wish if it is on the disk; nothing is made."""
    chosen = accelerator.verdict() if settings().accelerator == "auto" else settings().accelerator
    if kernel.arch != os.uname().machine:
        chosen = "tcg"
    image = find_image(kernel)
    if chosen is None or image is None:
        return None
    try:
        return ready(find_template(kernel, image, Hardware(kernel.arch, chosen, cpus, memory)))
    except HostSetupError:  # no QEMU
        return None


def _try_kvm(kernel: KernelBuild, image: GuestImage, memory: int, cpus: int) -> None:
    ensure_template(kernel, image, Hardware(kernel.arch, "kvm", cpus, memory), boot_timeout=accelerator.TRIAL_SECONDS)


def tree_file(kernel: KernelBuild, name: str) -> ModuleFile:
    """Return what a module of the kernel's own tree says of itself.

    Raises:
        FileNotFoundError: the tree holds none of that name.
        RecordParseError: its file is damaged.
    """
    return _read(tree_path(kernel, name))


def tree_path(kernel: KernelBuild, name: str) -> Path:
    """Return where the file of a module of the kernel's own tree lies.

    Raises:
        FileNotFoundError: the tree holds none of that name.
    """
    path = module_paths(kernel.modules).get(name.replace("-", "_"))
    if path is None:
        raise FileNotFoundError(f"find module {name}: not in the tree of {kernel.release}; its names: modprobe -l")
    return path


@once
def module_paths(modules: Path) -> dict[str, Path]:
    """Return the path of each module of a tree by its name (``_`` for ``-``), from ``modules.dep``."""
    lines = (modules / "modules.dep").read_text().splitlines()
    paths = [modules / line.partition(":")[0] for line in lines]
    return {path.name.partition(".")[0].replace("-", "_"): path for path in paths}


@once
def _read(path: Path) -> ModuleFile:
    return read_module(path.read_bytes())
