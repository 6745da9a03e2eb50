# SPDX-License-Identifier: MIT
"""What the host brings: packages, the Python environment, kernels; and how it all is set up and taken away."""
