# SPDX-License-Identifier: MIT
"""Parts of the host that a test may need: skipped without them, or failed where they are required."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest

from kmodlab.errors import HostSetupError

__all__ = ["needs", "program"]

_REQUIRED = {part for part in os.environ.get("KMODLAB_REQUIRE", "").split(",") if part}
"""Parts whose absence is a failure and not a reason to skip; CI names them all."""


@contextlib.contextmanager
def needs(part: str) -> Iterator[None]:
    """Skip the test if the host lacks a part, or fail it where the part is required."""
    try:
        yield
    except HostSetupError as error:
        if part in _REQUIRED:
            raise
        pytest.skip(f"no {part} here: {error}")


def program(part: str, name: str) -> str:
    """The path of a program that belongs to a part of the host."""
    with needs(part):
        if (path := shutil.which(name)) is None:
            raise HostSetupError(f"run {name}: it is not installed; apt-get install {name}")
    return path
