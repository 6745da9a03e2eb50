# SPDX-License-Identifier: MIT
"""A set-up packed where there is a network, and used where there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.resources import checkout

pytestmark = [pytest.mark.slow, pytest.mark.checkout, pytest.mark.notebook, pytest.mark.machine]


def lab(cache: Path, *arguments: str | Path, without_network: bool = False) -> str:
    """Run the ``lab`` script with a cache of its own; return the last line that it prints."""
    top = checkout()
    assert top
    argv = [*(["unshare", "--net"] if without_network else []), str(top / "lab"), *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "KMODLAB"))}
    environment = {**kept, "KMODLAB_CACHE": str(cache)}
    done = subprocess.run(argv, env=environment, cwd=cache.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout.strip().rpartition("\n")[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take the network away from a command")
def test_the_tour_in_a_room_without_a_network(frozen: KernelBuild, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    file = lab(here, "setup", "--export", tmp_path / "lab.zip")
    assert lab(there, "setup", "--from", file, without_network=True).startswith("Everything is set up")
    page = lab(there, "tour", without_network=True)
    assert "<img" in (tmp_path / page).read_text()
