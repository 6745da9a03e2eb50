# SPDX-License-Identifier: MIT
"""What turns the repository's texts, notebooks and docstrings into a site that needs nothing from a network."""
