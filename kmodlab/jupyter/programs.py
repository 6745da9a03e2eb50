# SPDX-License-Identifier: MIT
"""User programs for the machine: the C of a ``%%program`` cell, compiled and put where the cell's shell finds it."""

from __future__ import annotations

from kmodlab.build.program import build_program
from kmodlab.errors import UsageError
from kmodlab.jupyter.arguments import near
from kmodlab.jupyter.cells import place_of
from kmodlab.jupyter.display import View, note
from kmodlab.jupyter.lab import Lab, lab_modules
from kmodlab.records.table import format_bytes

__all__ = ["make_program"]


def make_program(lab: Lab, name: str, cell: str, module: str | None) -> View:
    """Compile a program and copy it into the machine, as ``/root/NAME``; return a line that says so.

    Args:
        lab: the session's.
        name: of the program.
        cell: its C, the text below the first line of the cell.
        module: it may include the header files of this module of `lab_modules`.

    Raises:
        UsageError: the name cannot be had, or there is no such module.
        CompileError: the compiler refused it.
        HostSetupError, ImageError, MachineError: there is no compiler, or the machine could not be made.
    """
    folders = lab_modules()
    if module and module not in folders:
        guess = near(module, folders)
        meant = f"did you mean {guess[0]}?" if guess else f"there are {', '.join(folders)}"
        raise UsageError(f"%%program --headers {module}: no such module comes with kmodlab; {meant}")
    includes = [folders[module]] if module else []
    vm = lab.machine()
    path = build_program(cell, name=name, includes=includes, cell=place_of(lab.shell, cell), arch=vm.kernel.arch)
    vm.push(path, name, mode=0o755)
    return note(f"{name} is a program of {format_bytes(path.stat().st_size)} in the machine: %guest ./{name} runs it.")
