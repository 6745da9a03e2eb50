# SPDX-License-Identifier: MIT
"""A disposable virtual machine: a clone of a frozen one, with the kernel's own verbs as methods."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kmodlab import aio
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.lines import ModuleCode, with_lines
from kmodlab.errors import (
    CommandTimeout,
    HostSetupError,
    KernelHang,
    KernelOops,
    MachineLost,
    ModuleLoadError,
    RecordParseError,
    SandboxError,
    TransferError,
)
from kmodlab.guest.session import LoadResult
from kmodlab.machine import provision, refusals
from kmodlab.machine.clone import HOME, Clone
from kmodlab.machine.functions import trace_functions
from kmodlab.machine.hang import SEARCH
from kmodlab.machine.outside import Outside, look
from kmodlab.machine.stall import HANG_LIMIT
from kmodlab.machine.state import State, require
from kmodlab.machine.template import Template
from kmodlab.machine.trust import Expected, Suspicion, suspicions
from kmodlab.progress import step
from kmodlab.records.address_space import AddressSpace
from kmodlab.records.anatomy import Anatomy, read_anatomy
from kmodlab.records.dependencies import DependencyGraph
from kmodlab.records.elf import ModuleFile, read_module
from kmodlab.records.functions import FunctionTrace
from kmodlab.records.memory import MemorySnapshot
from kmodlab.records.modinfo import ModInfo
from kmodlab.records.modules import LoadedModule, parse_modules
from kmodlab.records.report import Report, parse_reports
from kmodlab.records.table import Rows
from kmodlab.records.taint import Taint, parse_taint

__all__ = ["Machine", "State"]

Parameter = str | int | bool | Sequence[int | str]


class Machine(Clone):
    """One disposable virtual machine.

    It is a context manager: entering starts a fresh clone, leaving ends it. Nothing of it outlives that, or outlives
    this process.

    Args:
        kernel: the kernel to run; None means the release's own.
        memory: MiB; None means the setting.
        cpus: virtual processors; None means the setting.

    Attributes:
        patience: seconds, of those in which the machine could run, that loading or unloading a module may take.
    """

    def __init__(
        self, kernel: KernelBuild | str | None = None, memory: int | None = None, cpus: int | None = None
    ) -> None:
        super().__init__(kernel, memory, cpus)
        self.patience = HANG_LIMIT
        self._files: dict[str, ModuleFile] = {}
        self._expected = Expected()

    def _clone(self, template: Template) -> None:
        super()._clone(template)
        self._files.clear()
        self._expected = Expected(set(template.modules()))

    # -- Modules --------------------------------------------------------------------------------------------------

    @require(State.RUNNING)
    def insmod(self, module: ModuleArtifact | str | os.PathLike[str], /, **parameters: Parameter) -> LoadedModule:
        """Load a module: copy its file into the guest and hand it to the kernel, as ``insmod`` does.

        Args:
            module: what `kmodlab.build` returned, or the path of a ``.ko`` on the host.
            parameters: the module's parameters.

        Returns:
            Its row of ``/proc/modules``.

        Raises:
            ModuleLoadError: the kernel refused it.
            KernelOops: the kernel reported a fault while the module's init ran.
            KernelHang: its init did not come back within `patience` seconds.
            UsageError: the module has no such parameter.
        """
        path = module.path if isinstance(module, ModuleArtifact) else Path(module)
        data = path.read_bytes()
        file = module.file if isinstance(module, ModuleArtifact) else read_module(data)
        name = file.name
        line = refusals.parameter_line(name, file, parameters)
        self._code[name.replace("-", "_")] = ModuleCode.of(module, name, data)
        before = self.log_mark()
        argv = ["@insmod", f"{HOME}/{name}.ko", "644", line, "0"]
        done, modules = self._ask_kernel(f"insmod {name}.ko", argv, data)
        if not done.ok:
            log = self._records(before)
            raise refusals.load_refused(name, done, log, file=file, release=self.kernel.release)
        self._files[name] = file
        self._expected.load(file)
        return self._row(name, parse_modules(modules))

    @require(State.RUNNING)
    def rmmod(self, name: str) -> None:
        """Unload a module, as ``rmmod`` does.

        Raises:
            ModuleUnloadError: the kernel refused: it is in use, or not loaded.
            KernelOops: the kernel reported a fault while the module's exit ran.
            KernelHang: its exit did not come back within `patience` seconds.
        """
        before = self.log_mark()
        # Without waiting: "in use" is an error, and not a wait for who uses it.
        done, _ = self._ask_kernel(f"rmmod {name}", ["@delete", name.replace("-", "_"), str(os.O_NONBLOCK)])
        if not done.ok:
            raise refusals.unload_refused(name, done, self.lsmod(), self._records(before))
        self._expected.unload(name)

    @require(State.RUNNING)
    def modprobe(self, name: str, /, **parameters: Parameter) -> LoadedModule:
        """Load a module of the distribution's tree and all that it needs, as the command ``modprobe`` does.

        Raises:
            ModuleLoadError: there is none of that name, or the kernel refused it.
        """
        line = refusals.parameter_line(name, None, parameters)
        before = self.log_mark()
        result = self.run(["modprobe", "--", name, *line.split()])
        self._raise_on_fault(f"modprobe {name}", before)
        if result.exit_status:
            said = result.stderr.strip().removeprefix("modprobe: ").removeprefix("FATAL: ")
            raise ModuleLoadError(
                f"modprobe {name}: {said}; look for its name with: find /lib/modules -name '*.ko*'",
                module=name,
                errno=0,
                records=self._records(before),
            )
        self._expected.load(name)
        return self._row(name, self.lsmod())

    @require(State.RUNNING)
    def lsmod(self) -> Rows[LoadedModule]:
        """Return the rows of ``/proc/modules``, newest first, as ``lsmod`` lists them."""
        return parse_modules(self._snapshot("/proc/modules"))

    @require(State.RUNNING)
    def modinfo(self, module: ModuleArtifact | str) -> ModInfo:
        """Return what ``modinfo`` says of a built module, or of one of the distribution's tree by its name."""
        if isinstance(module, ModuleArtifact):
            return ModInfo.from_file(module.file, filename=module.path.name)
        return ModInfo.from_file(self._file(module), filename=f"{module}.ko")

    # -- What the kernel says -----------------------------------------------------------------------------------------

    def reports(self) -> Rows[Report]:
        """Return what the kernel reported since this machine is yours: oopses, warnings, hangs, in their order.

        Of modules loaded by `insmod` from a file or a build the lines of their source are filled in. Like `dmesg` it
        reads the console, so it works after a panic too.
        """
        return self._reports()

    @property
    def damaged(self) -> str:
        """The title of the first oops, BUG or panic since this machine is yours; empty if it is sound.

        A machine goes on after an oops, so that it can be looked at, but nothing that it says is to be relied on.
        """
        return next((report.title for report in parse_reports(self._records(), modules=self._code) if report.oops), "")

    @require(State.RUNNING)
    def taint(self) -> Taint:
        """Return the kernel's taint flags, from ``/proc/sys/kernel/tainted``."""
        return parse_taint(self._snapshot("/proc/sys/kernel/tainted"))

    @require(State.RUNNING)
    def memory(self) -> MemorySnapshot:
        """Return what the loaded modules and the kernel's allocators hold now; see `MemorySnapshot`."""
        with self._talking() as session:
            texts = session.snapshot(MemorySnapshot.PATHS)
        rows = parse_modules(_text_of(texts, "/proc/modules"))
        return MemorySnapshot.from_files(texts, self._module_files(rows))

    @require(State.RUNNING)
    def dependencies(self, *names: str) -> DependencyGraph:
        """Return which loaded module leans on which, with the symbols: of all, or of these and what they need."""
        rows = self.lsmod()
        graph = DependencyGraph.from_rows(rows, self._module_files(rows))
        return graph.around(*names) if names else graph

    @require(State.RUNNING)
    def anatomy(self, module: ModuleArtifact | str) -> Anatomy:
        """Return what the file of a built module, or of one of the distribution's tree by its name, is made of.

        Raises:
            FileNotFoundError: the tree holds none of that name.
        """
        path = module.path if isinstance(module, ModuleArtifact) else provision.tree_path(self.kernel, module)
        return read_anatomy(path.read_bytes())

    @require(State.RUNNING)
    def address_space(self) -> AddressSpace:
        """Return where in the kernel's addresses what lies, its modules among it, from ``/proc/kcore``."""
        with self._talking() as session:
            head = session.task(["head", "-c", "16384", "/proc/kcore"], timeout=30, cwd="/").stdout
        return AddressSpace.from_files(head, self.lsmod())

    @require(State.RUNNING)
    def functions(
        self, modules: str | Sequence[str], command: str | Sequence[str], timeout: float | None = None
    ) -> FunctionTrace:
        """Run a command and return what the functions of these loaded modules did meanwhile; see `FunctionTrace`.

        Raises:
            UsageError: a module is not loaded.
            CommandError: the command ended with a status other than 0.
            MachineError: this kernel cannot trace functions, or somebody traces already.
        """
        return trace_functions(self, [modules] if isinstance(modules, str) else modules, command, timeout)

    @require(State.RUNNING)
    def outside(self) -> Outside:
        """Return the kernel's list of modules and its taint as they stand in the machine's memory.

        Nothing in the guest is asked, so nothing in the guest can lie about it; but a module that takes itself off the
        list is not on it.
        """
        assert self._template is not None
        work = look(self._running(), self.kernel, self._template.symbols())
        return aio.call(work, timeout=120)

    @require(State.RUNNING)
    def suspicions(self) -> Rows[Suspicion]:
        """Return what does not go together of what was loaded, what memory says (`outside`) and what the guest says.

        It is empty for a guest that tells the truth. It writes one line with a random word to the guest's log, and
        stops the machine for some milliseconds. A module that is removed by a command in the guest, and not by `rmmod`,
        is missed here. ``vm/README.md`` says which lies cannot be found.
        """
        return suspicions(self)

    @contextlib.contextmanager
    def expect_oops(self) -> Iterator[list[Report]]:
        """Turn a fault of the kernel that the lesson wants into data.

        Yields:
            A list that holds, after the block, what the kernel reported in it, see `Report`.

        Raises:
            AssertionError: the block ended without an oops, a BUG or a panic.
        """
        caught: list[Report] = []
        before = self.log_mark()
        with contextlib.suppress(KernelOops, MachineLost, CommandTimeout):
            try:
                yield caught
            except KernelHang as hang:
                # The search for its place may have ended in a panic of our own making.
                if not any(report.oops for report in parse_reports(hang.records)):
                    raise AssertionError(f"expect_oops: no fault, but a hang: {hang}") from hang
                raise
        found = self._reports(before)
        if not any(report.oops for report in found):
            raise AssertionError("expect_oops: the kernel reported no fault in this block")
        caught.extend(found)

    # -- Inside -------------------------------------------------------------------------------------------------------

    def _ask_kernel(self, what: str, argv: Sequence[str], stdin: bytes = b"") -> tuple[LoadResult, str]:
        """Load or unload a module; return what the kernel said to it if nothing worse came, and what was printed."""
        before = self.log_mark()
        with step(what):
            watched = self._watch(argv, limit=self.patience * (1 - SEARCH), stdin=stdin)
        if watched.result is None:
            raise self._hang(what, watched, self.patience, before)
        self._raise_on_fault(what, before)
        return LoadResult.of(watched.result, argv[1]), watched.result.stdout.decode(errors="replace")

    def _raise_on_fault(self, what: str, before: int) -> None:
        oops = next((report for report in self._reports(before) if report.oops), None)
        if oops:
            place = f" at {oops.where.file}:{oops.where.line}" if oops.where else ""
            raise KernelOops(
                f"{what}: {oops.title}{place}; the kernel is damaged: look at vm.dmesg(), then vm.reset()",
                title=oops.title,
                records=oops.records,
                report=oops,
            )

    def _reports(self, since: int | None = None) -> Rows[Report]:
        """What the kernel reported, with the lines of the modules that were loaded from here."""
        found = parse_reports(self._records(since), modules=self._code)
        # The report is worth more than its lines: without them where the sandbox refuses.
        with contextlib.suppress(SandboxError, HostSetupError, RecordParseError):
            return with_lines(found, self._code.values()) if found else found
        return found

    def _snapshot(self, path: str) -> str:
        with self._talking() as session:
            return _text_of(session.snapshot([path]), path)

    def _row(self, name: str, rows: Sequence[LoadedModule]) -> LoadedModule:
        """The row of a module that was just loaded."""
        wanted = name.replace("-", "_")
        for row in rows:
            if row.name == wanted:
                return row
        raise ModuleLoadError(
            f"load {name}: the kernel accepted it, but it does not stand in /proc/modules; see vm.dmesg()",
            module=name,
            errno=0,
            records=self._records(),
        )

    def _module_files(self, rows: Sequence[LoadedModule]) -> Mapping[str, ModuleFile]:
        """The files of loaded modules: our own, and those of the kernel's tree. One from elsewhere is left out."""
        found = {}
        for row in rows:
            with contextlib.suppress(FileNotFoundError, RecordParseError):
                found[row.name] = self._file(row.name)
        return found

    def _file(self, name: str) -> ModuleFile:
        name = name.replace("-", "_")
        if name not in self._files:
            self._files[name] = provision.tree_file(self.kernel, name)
        return self._files[name]


def _text_of(texts: Mapping[str, bytes], path: str) -> str:
    """The text of a file that every guest has."""
    if path not in texts:
        raise TransferError(f"read {path}: the guest has no such file, or hides it; see vm.suspicions()")
    return texts[path].decode(errors="replace")
