# SPDX-License-Identifier: MIT
"""Building kernel modules. The package can be called: ``kmodlab.build(source)`` builds one.

Loading a submodule binds the package to the name ``kmodlab.build``, so the function of that name has to be the
package itself.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmodlab.build.artifact import ModuleArtifact
    from kmodlab.build.kernel import KernelBuild
    from kmodlab.build.source import ModuleSource

__all__ = ["make"]


def make(
    source: ModuleSource | str | Path, kernel: KernelBuild | None = None, *, force: bool = False
) -> ModuleArtifact:
    """Return the module built from a source, or from what lies at a path.

    Args:
        source: its C files and Kbuild, or a ``.c`` file, or a folder whose Kbuild sets ``obj-m``.
        kernel: whose headers it is built with; the lab's default kernel if None, fetched if it is not there.
        force: build even if the same was built before.

    Raises:
        CompileError, ModpostError, SandboxError, BuildError: the module did not become a ``.ko``.
        HostSetupError: the host lacks something.
        UsageError: the path holds no module.
    """
    from kmodlab.build.build import build
    from kmodlab.build.source import ModuleSource

    if not isinstance(source, ModuleSource):
        source = ModuleSource.from_path(source)
    if kernel is None:
        # By name, since this package knows nothing of how kernels come to this computer.
        kernel = importlib.import_module("kmodlab.host.kernels").ensure_kernel()
    return build(source, kernel, force=force)


class _Package(ModuleType):
    """A package that can be called, which is `make`."""

    __call__ = staticmethod(make)


sys.modules[__name__].__class__ = _Package
