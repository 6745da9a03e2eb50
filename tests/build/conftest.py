# SPDX-License-Identifier: MIT
"""What the tests that really compile need: a sandbox that can be entered, and a cache of their own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.sandbox import Sandbox, choose
from kmodlab.config import Settings
from kmodlab.errors import HostSetupError, SandboxError
from tests.conftest import needs


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    """The compile sandbox that builds use here."""
    with needs("build"):
        try:
            return choose()
        except SandboxError as error:
            raise HostSetupError(str(error)) from error


@pytest.fixture
def own(tmp_path: Path, sandbox: Sandbox) -> Settings:
    """Settings with a cache that is empty and goes away, but for what depends on the kernel alone."""
    (tmp_path / "cache").mkdir()
    for name in ("recipes", "headers"):
        shared = kmodlab.settings().cache / name
        shared.mkdir(exist_ok=True)
        (tmp_path / "cache" / name).symlink_to(shared)
    return dataclasses.replace(kmodlab.settings(), cache=tmp_path / "cache")
