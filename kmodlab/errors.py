# SPDX-License-Identifier: MIT
"""Every error that kmodlab raises, in one tree.

::

    KmodlabError
    ├── HostSetupError          the host lacks something: a package, room on the disk, a network
    ├── UsageError              a name, path or option that cannot be meant
    ├── BuildError              the module did not become a ``.ko``
    │   ├── CompileError        the compiler refused the source
    │   ├── ModpostError        it compiled, but the kernel's module checks refused it
    │   └── SandboxError        the compile sandbox could not be entered, or stopped the build at a limit
    ├── ImageError              the guest image or the frozen machine could not be made or is damaged
    ├── MachineError            something about the virtual machine itself
    │   ├── BootTimeout         it did not come up in time
    │   ├── MachineStateError   the call does not fit the state the machine is in
    │   └── MachineLost         QEMU ended, or the guest no longer answers
    ├── GuestError              the machine works, and what was asked of it failed
    │   ├── CommandError        a command ended with a status other than 0
    │   ├── CommandTimeout      a command did not end in time
    │   │   └── KernelHang      nor will it: it loops, waits or sleeps inside the kernel
    │   ├── TransferError       a file could not be pushed or pulled
    │   ├── ModuleLoadError     the kernel refused to load a module
    │   ├── ModuleUnloadError   the kernel refused to unload a module
    │   └── KernelOops          the kernel reported a fault of its own
    └── RecordParseError        text of the kernel that does not have the documented form

A message reads ``<verb> <object>: <the kernel's words> (<ERRNO>); <what to do now>``. What a caller may
want to look at (an errno, diagnostics, log records) is an attribute as well, never only text.
"""

from __future__ import annotations

import errno as errno_names
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmodlab.build.diagnostics import Diagnostic
    from kmodlab.records.kmsg import KmsgRecord
    from kmodlab.records.report import Report

__all__ = [
    "BootTimeout",
    "BuildError",
    "CommandError",
    "CommandTimeout",
    "CompileError",
    "GuestError",
    "HostSetupError",
    "ImageError",
    "KernelHang",
    "KernelOops",
    "KmodlabError",
    "MachineError",
    "MachineLost",
    "MachineStateError",
    "ModpostError",
    "ModuleLoadError",
    "ModuleUnloadError",
    "RecordParseError",
    "SandboxError",
    "TransferError",
    "UsageError",
    "errno_text",
]


def errno_text(number: int) -> str:
    """Return an errno the way kmodlab prints it, e.g. ``Invalid module format (ENOEXEC)``.

    The words are those of kmod (``insmod``) where they differ from the C library's.
    """
    name = errno_names.errorcode.get(number, f"errno {number}")
    words = {
        errno_names.ENOEXEC: "Invalid module format",
        errno_names.ENOENT: "Unknown symbol in module",
        errno_names.ESRCH: "Module has wrong symbol version",
        errno_names.EINVAL: "Invalid parameters",
    }.get(number, os.strerror(number))
    return f"{words} ({name})"


class KmodlabError(Exception):
    """The root of the tree: catch it to catch everything that kmodlab raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines a notebook shows instead of a Python traceback (a hook of IPython)."""
        return [f"{type(self).__name__}: {self}"]


class HostSetupError(KmodlabError):
    """The host lacks something that kmodlab needs; the message says how to mend it."""


class UsageError(KmodlabError, ValueError):
    """A name, path or option that cannot be meant, refused before anything was done."""


class BuildError(KmodlabError):
    """A module did not become a ``.ko``.

    Attributes:
        diagnostics: what the tools said, in order; never empty for a ``CompileError`` of the compiler.
        output: the raw text of the build, for those who want all of it.
    """

    def __init__(self, message: str, *, diagnostics: Sequence[Diagnostic] = (), output: str = "") -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)
        self.output = output


class CompileError(BuildError):
    """The compiler refused the source."""


class ModpostError(BuildError):
    """The source compiled, but kbuild's ``modpost`` refused the module: an undefined symbol, no licence …"""


class SandboxError(BuildError):
    """The compile sandbox could not be entered, or it stopped a build that went over a limit."""


class ImageError(KmodlabError):
    """The guest image or the frozen machine could not be made, or what lies on the disk is damaged."""


class MachineError(KmodlabError):
    """Something about the virtual machine itself, not about what ran in it."""


class BootTimeout(MachineError):
    """The machine did not come up in time.

    Attributes:
        console: the last lines of its serial console.
    """

    def __init__(self, message: str, *, console: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.console = tuple(console)


class MachineStateError(MachineError):
    """The call does not fit the state that the machine is in, e.g. a command to one that was closed."""


class MachineLost(MachineError):
    """QEMU ended, or the guest no longer answers. ``reset()`` gives a fresh machine.

    Attributes:
        reason: ``panic``, ``killed``, ``hung`` or ``ended``.
        records: the kernel's log up to its last line.
    """

    def __init__(self, message: str, *, reason: str = "ended", records: Sequence[KmsgRecord] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.records = tuple(records)


class GuestError(KmodlabError):
    """The machine works; what was asked of it failed.

    Attributes:
        records: what the kernel logged meanwhile.
    """

    def __init__(self, message: str, *, records: Sequence[KmsgRecord] = ()) -> None:
        super().__init__(message)
        self.records = tuple(records)


class CommandError(GuestError):
    """A command ended with a status other than 0.

    Attributes:
        exit_status: 1 to 255, or minus the number of the signal that ended it.
        stdout, stderr: what it printed.
    """

    def __init__(
        self, message: str, *, exit_status: int, stdout: str = "", stderr: str = "", records: Sequence[KmsgRecord] = ()
    ) -> None:
        super().__init__(message, records=records)
        self.exit_status = exit_status
        self.stdout = stdout
        self.stderr = stderr


class CommandTimeout(GuestError):
    """A command did not end in time; it was sent SIGKILL.

    Attributes:
        seconds: the limit that it went over.
        stuck: true if not even SIGKILL ended it, so it sits inside the kernel.
        stdout, stderr: what it printed until then.
    """

    def __init__(
        self,
        message: str,
        *,
        seconds: float,
        stuck: bool = False,
        stdout: str = "",
        stderr: str = "",
        records: Sequence[KmsgRecord] = (),
    ) -> None:
        super().__init__(message, records=records)
        self.seconds = seconds
        self.stuck = stuck
        self.stdout = stdout
        self.stderr = stderr


class KernelHang(CommandTimeout):
    """What was asked of the kernel never ends: an endless loop, a deadlock, a sleep that nothing ends.

    Attributes:
        title: the hang in one line, such as ``endless loop in spin``.
        report: where it is, with the line of the module's source; of kind ``hang``.
        records: what the kernel had logged until the place was looked for.
    """

    def __init__(
        self, message: str, *, title: str, report: Report, seconds: float, stuck: bool,
        stdout: str = "", stderr: str = "", records: Sequence[KmsgRecord] = (),
    ) -> None:  # fmt: skip
        super().__init__(message, seconds=seconds, stuck=stuck, stdout=stdout, stderr=stderr, records=records)
        self.title = title
        self.report = report


class TransferError(GuestError):
    """A file could not be pushed into the guest or pulled out of it.

    Attributes:
        errno: the guest's errno, or 0.
    """

    def __init__(self, message: str, *, errno: int = 0) -> None:
        super().__init__(message)
        self.errno = errno


class ModuleLoadError(GuestError):
    """The kernel refused to load a module.

    Attributes:
        module: the module's name.
        errno: what ``finit_module(2)`` returned.
    """

    def __init__(self, message: str, *, module: str, errno: int, records: Sequence[KmsgRecord] = ()) -> None:
        super().__init__(message, records=records)
        self.module = module
        self.errno = errno


class ModuleUnloadError(GuestError):
    """The kernel refused to unload a module.

    Attributes:
        module: the module's name.
        errno: what ``delete_module(2)`` returned.
    """

    def __init__(self, message: str, *, module: str, errno: int, records: Sequence[KmsgRecord] = ()) -> None:
        super().__init__(message, records=records)
        self.module = module
        self.errno = errno


class KernelOops(GuestError):
    """The kernel reported a fault of its own (an oops, a BUG) while it did what was asked.

    Attributes:
        title: the fault in one line, worded as kernel triage words it.
        records: the report, line by line.
        report: the same, read and decoded.
    """

    def __init__(
        self, message: str, *, title: str, records: Sequence[KmsgRecord] = (), report: Report | None = None
    ) -> None:
        super().__init__(message, records=records)
        self.title = title
        self.report = report


class RecordParseError(KmodlabError, ValueError):
    """A text of the kernel that does not have the documented form.

    Attributes:
        text: the line that could not be read.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text
