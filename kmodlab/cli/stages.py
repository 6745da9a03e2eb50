# SPDX-License-Identifier: MIT
"""The stages of the set-up, from the host's packages to the frozen machine, and what each verb needs of them."""

from __future__ import annotations

from pathlib import Path

from kmodlab.build.fast import prepare
from kmodlab.build.recipe import has_recipe
from kmodlab.build.reference import ensure_reference, find_reference
from kmodlab.config import settings
from kmodlab.course.lock import course_lock, read_lock
from kmodlab.errors import HostSetupError, KmodlabError
from kmodlab.host import kernels, setup
from kmodlab.host.setup import Failure, Stage, run_stages
from kmodlab.machine import provision
from kmodlab.machine.image import ensure_image, find_image

__all__ = ["all_stages", "make_stages", "need_stages"]


def all_stages(lock: Path | None = None) -> tuple[Stage, ...]:
    """Return every stage, in the order in which they are made.

    Args:
        lock: whose kernel to take where it can be had; if None, that of the course where there is no kernel yet.
    """
    # A lock is asked only where there is something to choose: whoever runs a verb may stand in anybody's folder.
    found = lock or (None if _kernel_is_there() else course_lock())
    held = read_lock(found) if found else None
    kernel = setup.kernel_stage((held.release, held.version) if held else None, insist=lock is not None)
    return (
        *(setup.packages_stage(), kernel, _build_stage(), _image_stage(), _template_stage()),
        _reference_stage(),
    )


def make_stages(upto: str = "reference", lock: Path | None = None) -> tuple[Failure, ...]:
    """Make the stages up to one, as far as it goes; return what could not be made. The lock is as for `all_stages`."""
    stages = all_stages(lock)
    last = next(number for number, stage in enumerate(stages) if stage.name == upto)
    return run_stages(stages[: last + 1])


def need_stages(upto: str = "template") -> None:
    """Make the stages up to one.

    Raises:
        KmodlabError: one could not be made.
    """
    failures = make_stages(upto)
    if failures:
        raise failures[0].error


def _kernel_is_there() -> bool:
    try:
        kernels.default_kernel()
    except HostSetupError:
        return False
    return True


def _build_stage() -> Stage:
    return Stage(
        "build",
        _build_is_ready,
        lambda: "Kernel headers: compiled beforehand, so that a module is built in a moment (no download)",
        lambda: prepare(kernels.default_kernel(), settings().cache, settings().build_timeout),
        needs="kernel",
    )


def _build_is_ready() -> bool:
    try:
        return has_recipe(kernels.default_kernel(), settings().cache)
    except KmodlabError:
        return False


def _image_stage() -> Stage:
    return Stage(
        "image",
        _image_is_ready,
        lambda: "Guest image: the programs of a small Debian and the kernel's modules (download: about 30 MB)",
        lambda: ensure_image(kernels.default_kernel()),
        needs="kernel",
    )


def _image_is_ready() -> bool:
    try:
        return find_image(kernels.default_kernel()) is not None
    except KmodlabError:
        return False


def _template_stage() -> Stage:
    return Stage(
        "template",
        _template_is_ready,
        lambda: "Frozen machine: booted once, so that every further one starts in a moment (no download)",
        lambda: provision.template(kernels.default_kernel(), settings().memory, settings().cpus),
        needs="image",
    )


def _template_is_ready() -> bool:
    try:
        return provision.ready_template(kernels.default_kernel(), settings().memory, settings().cpus) is not None
    except KmodlabError:
        return False


def _reference_stage() -> Stage:
    return Stage(
        "reference",
        _reference_is_ready,
        lambda: "Index of the kernel's headers: what they declare, for cells of C (no download)",
        lambda: ensure_reference(kernels.default_kernel(), settings().cache),
        needs="kernel",
    )


def _reference_is_ready() -> bool:
    try:
        return find_reference(kernels.default_kernel(), settings().cache) is not None
    except KmodlabError:
        return False
