# SPDX-License-Identifier: MIT
"""``python -m kmodlab`` is the command ``kmodlab``."""

from __future__ import annotations

import sys

from kmodlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
