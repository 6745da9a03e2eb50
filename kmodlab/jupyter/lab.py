# SPDX-License-Identifier: MIT
"""What one notebook has: a machine, and the modules that were built in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.build import build
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.reference import Reference, find_reference
from kmodlab.build.source import ModuleSource
from kmodlab.config import settings
from kmodlab.course.exercise import course_folder
from kmodlab.errors import HostSetupError, KmodlabError, MachineStateError, UsageError
from kmodlab.host import kernels
from kmodlab.jupyter.arguments import near
from kmodlab.jupyter.display import note, show, view_of
from kmodlab.jupyter.results import MachineStatus
from kmodlab.machine.machine import Machine, State

__all__ = ["Lab", "lab_modules"]


class Lab:
    """One notebook's machine and modules; the magics are thin over this.

    The machine is made at first use and then stands in the notebook's variable ``vm``. A notebook that puts a machine
    of its own into ``vm`` works with that one.

    Attributes:
        modules: what was built in this notebook, by name.
        streamed: the last error whose command's output was shown while it came.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.modules: dict[str, ModuleArtifact] = {}
        self.streamed: KmodlabError | None = None
        self._places: dict[str, Path] = {}
        self._own: Machine | None = None
        self._release: str | None = None

    # -- The machine ----------------------------------------------------------------------------------------------

    @property
    def current(self) -> Machine | None:
        """The machine as it is, or None if none was made yet."""
        theirs = self.shell.user_ns.get("vm")
        if isinstance(theirs, Machine) and theirs.state in {State.RUNNING, State.PAUSED, State.LOST}:
            return theirs
        return self._own

    def machine(self) -> Machine:
        """Return the machine, running: made at first use, and replaced by a fresh one if it was lost.

        Raises:
            MachineStateError: it is paused.
            HostSetupError, ImageError, MachineError: it could not be made.
        """
        vm = self.current
        if vm is None:
            return self._make()
        if vm.state is State.PAUSED:
            raise MachineStateError("use the machine: it is paused; %vm resume lets it run on")
        if vm.state is not State.RUNNING:
            lost = "was lost" if vm.state is State.LOST else "had ended"
            vm.reset()
            show(note(f"The machine {lost}: this is a fresh one, in which none of your modules is loaded."))
        return vm

    def _make(self) -> Machine:
        vm = Machine(kernel=self._release)
        vm.start()
        self._own = self.shell.user_ns["vm"] = vm
        return vm

    def reset(self) -> Machine:
        """Return a fresh machine in place of the current one, whatever state that is in."""
        vm = self.current
        return vm.reset() if vm else self._make()

    def choose_kernel(self, release: str) -> Machine:
        """Return a fresh machine that runs another kernel, which is fetched if it is not there.

        Raises:
            UsageError, HostSetupError: there is no such kernel.
        """
        kernels.ensure_kernel(release)
        if self._own:
            self._own.kill()
        self._release = release
        return self._make()

    def kernel(self) -> KernelBuild:
        """Return the kernel that modules are built for: the machine's, or the one that it will have."""
        vm = self.current
        return vm.kernel if vm else kernels.ensure_kernel(self._release)

    def ready_kernel(self) -> KernelBuild:
        """Return the kernel that modules are built for, if it is there already: nothing is fetched or started.

        Raises:
            HostSetupError: none is set up.
        """
        vm = self.current
        made = vm and vm.state in {State.RUNNING, State.PAUSED, State.LOST}
        return vm.kernel if vm and made else kernels.default_kernel()

    def reference(self) -> Reference | None:
        """Return the index of that kernel's headers, or None if it was not made yet."""
        return find_reference(self.ready_kernel(), settings().cache)

    def status(self) -> MachineStatus:
        """Return what the machine is now, without changing it."""
        vm = self.current
        release = vm.kernel.release if vm else self._release or "this Debian release's own"
        state = vm.state if vm else State.NEW
        accelerator = vm.accelerator if vm else settings().accelerator
        common = (state.value, release, accelerator, settings().memory, settings().cpus)
        if vm is None or state is not State.RUNNING:
            return MachineStatus(*common)
        uptime = float(vm.run(["cat", "/proc/uptime"]).stdout.split()[0])
        theirs = tuple(row.name for row in vm.lsmod() if "O" in row.taints or row.name in self.modules)
        return MachineStatus(*common, uptime, theirs, vm.taint().letters, vm.pid)

    def outlook(self) -> str:
        """Return in words what the next magic will find."""
        vm = self.current
        if vm is None:
            return "nothing was left behind"
        if vm.state is State.RUNNING:
            return "the machine goes on, and so can you"
        return "the next magic gets a fresh machine"

    def close(self) -> None:
        """End the notebook's machine; it is made anew at the next use. A machine ends by itself with this process."""
        own, self._own = self._own, None
        if own:
            own.kill()

    # -- Modules ----------------------------------------------------------------------------------------------------

    def build(self, source: ModuleSource, kernel: KernelBuild | None = None) -> ModuleArtifact:
        """Build a module and remember it under its name, and those built together with it under theirs.

        Raises:
            BuildError: see `kmodlab.build`.
        """
        built = build(source, kernel or self.kernel())
        for one in (built, *built.others):
            self.modules[one.name] = one
            self._places.pop(one.name, None)
        return built

    def find(self, verb: str, text: str, *, quiet: bool = False) -> ModuleArtifact | Path:
        """Return what a word names: a module of this notebook, a path, or a module that comes with kmodlab.

        Sources are built, from the cache if they have not changed, and what was built is shown unless it is to be
        `quiet`. A ``.ko`` is returned as its path.

        Raises:
            UsageError: nothing has that name.
            BuildError: it could not be built.
        """
        name = text.replace("-", "_")
        if name in self.modules and name not in self._places:
            return self.modules[name]
        place = self._places.get(name) or self._place(text)
        if place is None:
            raise UsageError(f"{verb} {text}: {self._nothing(text)}")
        if place.suffix == ".ko":
            return place
        known = name in self._places
        built = self.build(ModuleSource.from_path(place))
        if not quiet and (not known or built.how != "cache"):
            show(view_of(built))
        self._places.update(dict.fromkeys([built.name, *(other.name for other in built.others)], place))
        return self.modules.get(name, built)

    def _place(self, text: str) -> Path | None:
        path = Path(text).expanduser()
        if "/" in text or path.suffix in {".c", ".ko"}:
            if not path.exists():
                raise UsageError(f"read {text}: No such file or directory (ENOENT); paths count from {Path.cwd()}")
            return path
        ours = lab_modules().get(text)
        return ours or (path if path.is_dir() else None)

    def _nothing(self, text: str) -> str:
        guesses = near(text, {*self.modules, *lab_modules()})
        meant = f", did you mean {' or '.join(guesses)}?" if guesses else ""
        return f"no module of that name was built in this notebook or comes with kmodlab{meant or ';'}" + (
            "" if meant else " build it with %%kmod, give a path, or see %modprobe for those of the distribution"
        )

    def names(self) -> Iterable[str]:
        """Return the names that `find` knows without a path."""
        return dict.fromkeys([*self.modules, *lab_modules()])


def lab_modules() -> dict[str, Path]:
    """Return the folders of the course's modules, by the names of folders and of modules in them.

    In a learner's own copy of the course they are the learner's. Exercises are not among them: their module is the one
    that the learner builds.
    """
    try:
        folder = course_folder()
    except HostSetupError:
        return {}
    folders = [path for path in sorted(folder.iterdir()) if (path / "Kbuild").is_file()]
    folders = [path for path in folders if not (path / "checks.py").is_file()]
    inside = {name: path for path in folders for name in ModuleSource.from_path(path).modules}
    return inside | {path.name: path for path in folders}
