# SPDX-License-Identifier: MIT
"""The Python packages that only the site's making needs, in a folder of their own beside the lab's environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.host import state
from kmodlab.host.bootstrap import pip_wheel
from kmodlab.progress import step

__all__ = ["LOCK", "ensure_packages"]

LOCK = Path(__file__).parents[1] / "requirements.lock"
"""What the folder holds, with hashes: only what the lab's own lock does not hold already."""


def ensure_packages() -> Path:
    """Return a folder to import sphinx and the rest from, fetched if it is not there.

    Raises:
        HostSetupError: pip could not fetch or install them; says what pip says.
    """
    cache = settings().cache
    state.claim(cache)
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache / "python" / f"docs-{key}"
    folder.parent.mkdir(exist_ok=True)
    with state.locked(folder.with_suffix(".lock"), "fetching sphinx"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, pip_wheel(cache))
            (folder / "complete").touch()
    return folder


def _install(folder: Path, pip: Path) -> None:
    argv = [sys.executable, "-I", str(pip / "pip"), "install", "--target", str(folder), "--no-deps"]
    argv += ["--require-hashes", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "-r", str(LOCK)]
    with step("Installing sphinx"):
        finished = subprocess.run(argv, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        words = [line for line in finished.stderr.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
        raise HostSetupError(f"install sphinx: {words[-1]}; pip config list shows what pip uses")
