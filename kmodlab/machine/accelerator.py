# SPDX-License-Identifier: MIT
"""Which accelerator works on this host: KVM only after a trial, emulation everywhere.

A ``/dev/kvm`` that opens proves nothing: nested virtualisation exists on which QEMU aborts, and on which a stock kernel
hangs for ever in the middle of its boot. So a machine is booted on trial, with a time limit, and the outcome is kept
until the host boots again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from kmodlab.config import settings
from kmodlab.errors import MachineError

__all__ = ["choose", "verdict"]

TRIAL_SECONDS = 10.0
"""A stock kernel needs about one second under a KVM that works."""


def choose(trial: Callable[[], object]) -> str:
    """Return ``kvm`` or ``tcg`` for this host; ``KMODLAB_ACCELERATOR`` overrides.

    Args:
        trial: boots a machine under KVM within `TRIAL_SECONDS`, or raises `MachineError`.
    """
    if settings().accelerator != "auto":
        return settings().accelerator
    known = verdict()
    if known:
        return known
    chosen = "tcg"
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        try:
            trial()
            chosen = "kvm"
        except (MachineError, TimeoutError):
            chosen = "tcg"
    _remember(chosen)
    return chosen


def verdict() -> str | None:
    """Return what a trial since this host's last boot found, or None; no ``/dev/kvm`` needs no trial."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    try:
        kept = json.loads(_record().read_text())
        return str(kept["accelerator"]) if kept["boot"] == _boot_id() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(accelerator: str) -> None:
    path = _record()
    new = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that may only be read: the next process tries again
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps({"boot": _boot_id(), "accelerator": accelerator}))
        new.replace(path)


def _record() -> Path:
    return settings().cache / "accelerator.json"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
