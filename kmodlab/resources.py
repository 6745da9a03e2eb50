# SPDX-License-Identifier: MIT
"""Where the files that come with kmodlab lie: the same answer in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from kmodlab.errors import HostSetupError

__all__ = ["checkout", "resource"]

_PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """Return the top of the checkout that this kmodlab runs from, or of a student's copy of it; None in a wheel."""
    return _PACKAGE.parent if (_PACKAGE.parent / "lab").is_file() else None


def resource(name: str) -> Path:
    """Return the path of ``vm``, ``lab_modules``, ``notebooks`` or ``tests``, or of something below one of them.

    In a wheel they ride inside the package, in a checkout they stand beside it.

    Raises:
        HostSetupError: neither place holds it.
    """
    for base in (_PACKAGE / "resources", _PACKAGE.parent):
        path = base / name
        if path.exists():
            return path
    raise HostSetupError(f"find {name}: not part of this installation; install kmodlab again or run it from a checkout")
