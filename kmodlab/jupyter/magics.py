# SPDX-License-Identifier: MIT
"""The magics: each reads its line, calls the lab, and returns records that show themselves."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.source import ModuleSource
from kmodlab.errors import GuestError, KmodlabError, UsageError
from kmodlab.guest.session import CommandResult
from kmodlab.host import kernels
from kmodlab.jupyter import shell_lines, verbs
from kmodlab.jupyter.arguments import near, split_parameters
from kmodlab.jupyter.cells import keep_empty_body, place_of
from kmodlab.jupyter.display import View, note, show, view_of
from kmodlab.jupyter.errors import expecting, explain_interrupt
from kmodlab.jupyter.exercises import Desk
from kmodlab.jupyter.ksource import ksource
from kmodlab.jupyter.lab import Lab
from kmodlab.jupyter.programs import make_program
from kmodlab.jupyter.results import BuiltModule, Loaded, Unloaded, kernel_log
from kmodlab.machine.machine import Machine, State
from kmodlab.machine.provision import module_paths, tree_file
from kmodlab.records.kmsg import KernelLog
from kmodlab.records.modinfo import ModInfo, ModuleParameter
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import Rows

__all__ = ["KmodMagics", "lab_of", "register", "unregister"]

Method = Callable[["KmodMagics", Namespace], Any]


def _verb(name: str) -> Callable[[Method], Callable[[KmodMagics, str], Any]]:
    """Make a line magic of a method that takes what the line says; ``-h`` and interrupts are seen to here."""
    options = verbs.ALL[name]

    def decorate(method: Method) -> Callable[[KmodMagics, str], Any]:
        @wraps(method)
        def magic(self: KmodMagics, line: str) -> Any:
            given = options.read(line)
            if given is None:
                return None
            with explain_interrupt(options.verb, self.lab):
                return method(self, given)

        magic.__doc__ = options.format_help()
        return magic

    return decorate


@magics_class
class KmodMagics(Magics):
    """The magics of one IPython session.

    Attributes:
        lab: the session's machine and modules.
        desk: its learner's exercises.
    """

    shell: Any

    def __init__(self, shell: Any, lab: Lab) -> None:
        super().__init__(shell)
        self.lab = lab
        self.desk = Desk(lab)
        self._shown = 0

    # -- Building and loading ---------------------------------------------------------------------------------------

    @line_cell_magic
    def kmod(self, line: str, cell: str | None = None) -> Any:
        """Build the C of a cell, or bring an earlier version of it back."""
        given = verbs.ALL["kmod"].read(line)
        if given is None:
            return None
        if given.history or given.restore is not None:
            name, _ = self._one("%kmod", given.words)
            if given.history:
                return self.desk.history(name)
            return self.desk.restore(name, given.restore, replace=cell is not None)
        if cell is None:
            raise UsageError("%kmod: there is no C; write %%kmod NAME on the first line of a cell and the C below it")
        words, parameters = split_parameters("%%kmod", given.words)
        if not words:
            raise UsageError("%%kmod: the module has no name; write one, such as %%kmod hello")
        if parameters and not given.load:
            raise UsageError("%%kmod: parameters are given to a module when it is loaded; add --load")
        # Several words are a name with spaces, which the check of names explains.
        source = self._source(" ".join(words), cell)
        self.desk.keep(source, cell)
        with explain_interrupt("%%kmod", self.lab):
            return expecting(given.expect_error, "%%kmod", lambda: self._build(source, given, parameters))

    def _source(self, name: str, cell: str) -> ModuleSource:
        """The C of a cell, which knows on which of the cell's lines it begins."""
        shown, first_line = place_of(self.shell, cell)
        return ModuleSource.from_text(name, cell, filename=shown, first_line=first_line)

    def _build(self, source: ModuleSource, given: Namespace, parameters: dict[str, str]) -> BuiltModule:
        earlier = source.name in self.lab.modules
        built = self.lab.build(source, kernels.ensure_kernel(given.kernel) if given.kernel else None)
        if not given.load:
            return BuiltModule.of(built, None)
        vm = self.lab.machine()
        if earlier and source.name in {row.name for row in vm.lsmod()}:
            show(note(f"{source.name} of an earlier run is still loaded: it is unloaded first."))
            vm.rmmod(source.name)
        try:
            return BuiltModule.of(built, self._load(vm, built, parameters))
        except KmodlabError:
            show(view_of(built))
            raise

    def _load(self, vm: Machine, module: Any, parameters: dict[str, str]) -> Loaded:
        before = vm.log_mark()
        row = vm.insmod(module, **parameters)
        return Loaded.of(row, kernel_log(vm.dmesg(since=before)))

    @line_magic
    @_verb("insmod")
    def insmod(self, given: Namespace) -> Loaded | KmodlabError:
        """Load a module."""
        name, parameters = self._one("%insmod", given.words)

        def load() -> Loaded:
            module = self.lab.find("%insmod", name)
            return self._load(self.lab.machine(), module, parameters)

        return expecting(given.expect_error, "%insmod", load)

    @line_magic
    @_verb("rmmod")
    def rmmod(self, given: Namespace) -> Unloaded | KmodlabError:
        """Unload modules."""
        if not given.words:
            raise UsageError("%rmmod: which module? write its name, such as %rmmod hello")

        def unload() -> Unloaded:
            vm = self.lab.machine()
            before = vm.log_mark()
            for name in given.words:
                vm.rmmod(name)
            return Unloaded(tuple(given.words), kernel_log(vm.dmesg(since=before)))

        return expecting(given.expect_error, "%rmmod", unload)

    @line_magic
    @_verb("modprobe")
    def modprobe(self, given: Namespace) -> Loaded | Unloaded | KmodlabError:
        """Load a module of the distribution, or unload it."""
        name, parameters = self._one("%modprobe", given.words)

        def act() -> Loaded | Unloaded:
            vm = self.lab.machine()
            before = vm.log_mark()
            if given.remove:
                shell_lines.modprobe_remove(vm, name)
                return Unloaded((name,), kernel_log(vm.dmesg(since=before)))
            row = vm.modprobe(name, **parameters)
            return Loaded.of(row, kernel_log(vm.dmesg(since=before)))

        return expecting(given.expect_error, "%modprobe", act)

    # -- Looking ----------------------------------------------------------------------------------------------------

    @line_magic
    @_verb("lsmod")
    def lsmod(self, given: Namespace) -> Rows[LoadedModule]:
        """List the loaded modules."""
        rows = self.lab.machine().lsmod()
        wanted = {name.replace("-", "_") for name in given.words}
        return rows.filter(lambda row: row.name in wanted) if wanted else rows

    @line_magic
    @_verb("modinfo")
    def modinfo(self, given: Namespace) -> ModInfo | Rows[ModuleParameter]:
        """Show what a module's file says."""
        name, _ = self._one("%modinfo", given.words)
        info = self._modinfo(name)
        return info.parameters if given.parameters else info

    def _modinfo(self, name: str) -> ModInfo:
        if name in self.lab.names() or "/" in name or name.endswith((".c", ".ko")):
            found = self.lab.find("%modinfo", name)
            if isinstance(found, ModuleArtifact):
                return ModInfo.from_file(found.file, filename=found.path.name)
            from kmodlab.records.elf import read_module

            return ModInfo.from_file(read_module(found.read_bytes()), filename=str(found))
        kernel = self.lab.kernel()
        try:
            return ModInfo.from_file(tree_file(kernel, name), filename=f"{name}.ko")
        except FileNotFoundError:
            guesses = near(name.replace("-", "_"), [*self.lab.names(), *module_paths(kernel.modules)])
            meant = f"did you mean {' or '.join(guesses)}?" if guesses else "%lsmod lists what is loaded"
            raise UsageError(
                f"%modinfo {name}: neither built in this notebook nor in the tree of {kernel.release}; {meant}"
            ) from None

    @line_magic
    @_verb("dmesg")
    def dmesg(self, given: Namespace) -> KernelLog:
        """Show the kernel's log."""
        vm = self.lab.current or self.lab.machine()
        end = vm.log_mark()
        start = self._shown if given.new and self._shown <= end else None
        self._shown = end
        log = vm.dmesg(boot=True) if given.boot else kernel_log(vm.dmesg(since=start))
        log = log.at_least(given.level) if given.level else log
        return log if given.lines is None else log[max(0, len(log) - given.lines) :]

    @line_magic
    @_verb("ksource")
    def ksource(self, given: Namespace) -> View:
        """Show what the kernel says of a name."""
        return ksource(self.lab, given)

    # -- The machine --------------------------------------------------------------------------------------------------

    @no_var_expand
    @line_cell_magic
    def guest(self, line: str, cell: str | None = None) -> CommandResult | KmodlabError | None:
        """Run shell lines in the machine."""
        given, rest = verbs.ALL["guest"].read_front(line)
        if given is None:
            return None
        if cell is not None and rest:
            raise UsageError(f"%%guest: {rest!r} stands on the first line; write the shell lines below it")
        script = rest if cell is None else cell
        if not script.strip():
            raise UsageError("%%guest: there is nothing to run; write shell lines below %%guest, or %guest LINE")
        with explain_interrupt("%%guest", self.lab):
            return expecting(given.expect_error, "%%guest", lambda: self._run(script, given, live=cell is not None))

    def _run(self, script: str, given: Namespace, *, live: bool) -> CommandResult | None:
        """Run shell lines; what they print is shown while it comes, or else it is what is returned."""
        try:
            result = shell_lines.run(self.lab.machine(), script, given.timeout, live=live)
            if given.out:
                self.shell.user_ns[given.out] = result
            shell_lines.check(result)
        except GuestError as error:
            self.lab.streamed = error if live else None
            raise
        return None if live else result

    @line_cell_magic
    def program(self, line: str, cell: str | None = None) -> Any:
        """Compile an ordinary program for the machine."""
        given = verbs.ALL["program"].read(line)
        if given is None:
            return None
        if not cell or not cell.strip():
            raise UsageError("%%program: there is no C; write %%program NAME on the first line and the C below it")
        if len(given.words) != 1:
            raise UsageError(f"%%program: {len(given.words)} names; write one, such as %%program greet")
        (name,) = given.words
        with explain_interrupt("%%program", self.lab):
            return expecting(given.expect_error, "%%program", lambda: make_program(self.lab, name, cell, given.headers))

    @line_magic
    @_verb("vm")
    def vm(self, given: Namespace) -> Any:
        """Say how the machine is, or change it."""
        action, *more = given.words or ["status"]
        if action not in verbs.VM_ACTIONS:
            guess = near(action, verbs.VM_ACTIONS)
            meant = f"did you mean {guess[0]}?" if guess else f"it knows {', '.join(verbs.VM_ACTIONS)}"
            raise UsageError(f"%vm {action}: there is no such action; {meant}")
        if len(more) != (action == "kernel"):
            need = "name one release, such as 6.1.0-56-amd64" if action == "kernel" else "it takes no further word"
            raise UsageError(f"%vm {action}: {len(more)} further words; {need}")
        if action == "log":
            return (self.lab.current or self.lab.machine()).dmesg(boot=True)
        if action == "panel":
            from kmodlab.jupyter.panel.widget import panel_of  # widgets take their time to import

            return panel_of(self.lab)
        self._change(action, more)
        return self.lab.status()

    @line_magic
    @_verb("hint")
    def hint(self, given: Namespace) -> Any:
        """Show the next hint."""
        return self.desk.hint(self._one("%hint", given.words)[0] if given.words else None)

    def _change(self, action: str, more: Sequence[str]) -> None:
        lab = self.lab
        if action == "reset":
            lab.reset()
        elif action == "kernel":
            lab.choose_kernel(more[0])
        elif action == "stop" and lab.current:
            lab.current.kill()
        elif action == "resume" and lab.current:
            lab.current.resume()
        elif action == "pause":
            lab.machine().pause()
        elif lab.current is None or lab.current.state in {State.NEW, State.CLOSED}:
            lab.machine()

    def _one(self, verb: str, words: Sequence[str]) -> tuple[str, dict[str, str]]:
        """The one module that a line names, and the parameters."""
        plain, parameters = split_parameters(verb, words)
        if not plain:
            raise UsageError(f"{verb}: which module? write its name, such as {verb} hello; {verb} -h shows more")
        if len(plain) > 1:
            raise UsageError(
                f"{verb}: {plain[1]!r} is neither an option nor a parameter; parameters read NAME=VALUE, without "
                "spaces around the ="
            )
        return plain[0], parameters


for _name in ("kmod", "guest", "program"):
    getattr(KmodMagics, _name).__doc__ = verbs.ALL[_name].format_help()


def register(shell: Any, lab: Lab) -> None:
    """Add the magics to an IPython session."""
    magics = KmodMagics(shell, lab)
    shell.register_magics(magics)
    shell.user_ns.setdefault("check", magics.desk.check)
    shell.input_transformers_cleanup.append(keep_empty_body)


def unregister(shell: Any) -> None:
    """Take the magics away again."""
    manager = shell.magics_manager
    magics = manager.registry.pop(KmodMagics.__name__, None)
    if magics and shell.user_ns.get("check") == magics.desk.check:
        del shell.user_ns["check"]
    for kind in manager.magics.values():
        for name in verbs.ALL:
            kind.pop(name, None)
    shell.input_transformers_cleanup.remove(keep_empty_body)


def lab_of(shell: Any) -> Lab | None:
    """Return the lab of an IPython session, or None if the magics were not loaded."""
    magics = shell.magics_manager.registry.get(KmodMagics.__name__)
    return magics.lab if magics else None
