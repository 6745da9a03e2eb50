# SPDX-License-Identifier: MIT
"""Print what each faulty module does and what it should come out as: ``python tests/faults/table.py``."""

from __future__ import annotations

from faults import table

if __name__ == "__main__":
    print(table())
