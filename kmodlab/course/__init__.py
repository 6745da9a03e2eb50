# SPDX-License-Identifier: MIT
"""The course: its notebooks, run headless."""
