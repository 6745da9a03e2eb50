# SPDX-License-Identifier: MIT
"""The settings of this process: one frozen object, read once from the environment.

Every setting is an environment variable ``KMODLAB_<NAME>``; there is no settings file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache as once
from pathlib import Path

import platformdirs

from kmodlab.errors import UsageError

__all__ = ["Settings", "settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose from outside.

    Attributes:
        cache: folder for kernels, images, frozen machines and built modules (``KMODLAB_CACHE``).
        shared_cache: such a folder that an administrator fills and several share, looked at first and never written;
            None: there is none (``KMODLAB_SHARED_CACHE``).
        data: folder for what a learner wrote (``KMODLAB_DATA``).
        accelerator: ``auto``, ``tcg`` or ``kvm`` (``KMODLAB_ACCELERATOR``).
        memory: MiB of a machine's memory (``KMODLAB_MEMORY``).
        cpus: number of a machine's virtual processors (``KMODLAB_CPUS``).
        boot_timeout: seconds a cold boot may take (``KMODLAB_BOOT_TIMEOUT``).
        command_timeout: seconds a guest command may take unless it says otherwise (``KMODLAB_COMMAND_TIMEOUT``).
        build_timeout: seconds a build may take (``KMODLAB_BUILD_TIMEOUT``).
        idle: seconds after which a machine that nobody talks to is stopped, until somebody does; 0: never
            (``KMODLAB_IDLE``).
        pool: spare machines that a process keeps ready, at most; 0: none (``KMODLAB_POOL``).
        sandbox: how compilers are shut in: ``auto``, ``bubblewrap``, ``landlock``, or ``open`` for not at all
            (``KMODLAB_SANDBOX``).
    """

    cache: Path
    data: Path
    accelerator: str = "auto"
    memory: int = 256
    cpus: int = 2
    boot_timeout: float = 180.0
    command_timeout: float = 60.0
    build_timeout: float = 120.0
    idle: float = 600.0
    pool: int = 2
    sandbox: str = "auto"
    shared_cache: Path | None = None


@once
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        UsageError: a variable holds something that is not of its kind.
    """
    given: dict[str, object] = {
        "cache": Path(platformdirs.user_cache_dir("kmodlab")),
        "data": Path(platformdirs.user_data_dir("kmodlab")),
    }
    for field in fields(Settings):
        variable = f"KMODLAB_{field.name.upper()}"
        text = os.environ.get(variable)
        if text:
            given[field.name] = _parse(variable, text, field.type)
    chosen = Settings(**given)  # type: ignore[arg-type]
    if chosen.accelerator not in {"auto", "tcg", "kvm"}:
        raise UsageError(f"KMODLAB_ACCELERATOR={chosen.accelerator}: not an accelerator; say auto, tcg or kvm")
    if chosen.sandbox not in {"auto", "bubblewrap", "landlock", "open"}:
        raise UsageError(f"KMODLAB_SANDBOX={chosen.sandbox}: not a sandbox; say auto, bubblewrap, landlock or open")
    return chosen


def _parse(variable: str, text: str, kind: object) -> object:
    """Turn the text of a variable into the kind (a name, since annotations are strings here) of its field."""
    parsers: dict[str, Callable[[str], object]] = {
        "Path": lambda t: Path(t).expanduser().absolute(),
        "Path | None": lambda t: Path(t).expanduser().absolute(),
        "int": int,
        "float": float,
        "str": str,
    }
    try:
        return parsers[str(kind)](text)
    except ValueError:
        raise UsageError(f"{variable}={text}: not a number; unset it or give it one") from None
