# SPDX-License-Identifier: MIT
"""The environment of the Python processes that the command starts."""

from __future__ import annotations

import os
from pathlib import Path

import kmodlab

__all__ = ["child_environment"]


def child_environment() -> dict[str, str]:
    """Return this process's environment, in which a Python can import this kmodlab from wherever it runs."""
    home = str(Path(kmodlab.__file__).parent.parent)
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([home, *(path for path in paths if path != home)])}
