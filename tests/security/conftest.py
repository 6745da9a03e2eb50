# SPDX-License-Identifier: MIT
"""What the tests of isolation share with those of the build."""

from tests.build.conftest import own, sandbox

__all__ = ["own", "sandbox"]
