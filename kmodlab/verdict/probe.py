# SPDX-License-Identifier: MIT
"""Ways through a machine that a module's author may not have thought of: absurd parameters, unloading while in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import ModuleLoadError
from kmodlab.machine.machine import Machine
from kmodlab.verdict.record import Step
from kmodlab.verdict.script import Script, Wishes

__all__ = ["Absurd", "InUse"]

_NUMBERS = ("-1", "0", "2147483647", "4294967295", "9223372036854775807", "99999999999999999999", "x")
_VALUES = {
    "bool": ("x", "2", ""),
    "charp": ("%s%n%p", "x" * 900, '""'),
    "string": ("%s%n%p", "x" * 900, '""'),
}
_MOST = 60
_HOLD = 'exec 3<"$1" || exec 3>"$1"; sleep 1000 <&3 >/dev/null 2>&1 & echo $!'


class Absurd(Script):
    """Load with one absurd value after another, each followed by a load without, if the first was refused.

    Attributes:
        values: pairs of module and parameter line to try.
        tried, refused: how many so far.
        now: the parameter line that is being tried, or was last.
        broken: the refused line after which it no longer loaded; empty if there is none.
    """

    def __init__(
        self,
        modules: Sequence[ModuleArtifact],
        parameters: Mapping[str, str],
        kernel: KernelBuild,
        wishes: Wishes,
        note: Callable[[str], object],
    ) -> None:
        super().__init__(modules, parameters, kernel, wishes, note)
        self.values = list(_lines(modules))[:_MOST]
        self.tried = self.refused = 0
        self.now = self.broken = ""

    def _work(self, vm: Machine) -> None:
        for module, line in self.values:
            self.now = line
            self.tried += 1
            self._parameters = {module: line}
            if self._once(vm):
                if self._loaded:
                    return  # it cannot be unloaded
                continue
            self.refused += 1
            self._parameters = {}
            if not self._once(vm):
                self.broken = line
                return

    def _once(self, vm: Machine) -> bool:
        """Load and unload; whether it loaded."""
        loaded = True
        try:
            for module in self._modules:
                self._load(vm, module)
        except ModuleLoadError:
            loaded = False
        for module in reversed(self._loaded[:]):
            self._unload(vm, module)
        return loaded


def _lines(modules: Sequence[ModuleArtifact]) -> Iterator[tuple[str, str]]:
    for module in modules:
        for key, text in module.file.modinfo:
            if key == "parmtype":
                name, _, kind = text.partition(":")
                values = _VALUES.get(kind, _NUMBERS)
                many = ",".join(["1"] * 300) if kind.startswith("array") else ""
                yield from ((module.name, f"{name}={value}") for value in (*values, *([many] if many else [])))


class InUse(Script):
    """Unload while a file of the module in ``/dev`` is open.

    Attributes:
        node: that file; empty if the module makes none.
        gave_way: the kernel unloaded it although the file was open.
    """

    node = ""
    gave_way = False

    def _work(self, vm: Machine) -> None:
        before = self._nodes(vm)
        for module in self._modules:
            self._load(vm, module)
        self.node = next(iter(sorted(self._nodes(vm) - before)), "")
        if self.node:
            mark = vm.log_mark()
            done = self._step(vm, Step("exec", f"open {self.node}"), ["bash", "-c", _HOLD, "bash", self.node])
            holder = done.stdout.decode(errors="replace").strip() if done else ""
            if done is None or done.exit_status or not holder.isdecimal():
                self.node = ""
            else:
                last = self._modules[-1]
                self.gave_way = self._delete(vm, last).exit_status == 0
                vm.run(["kill", "-9", holder])
                self._step(vm, Step("exec", f"close {self.node}"), ["bash", "-c", _GONE, "bash", holder])
                self._stop_at_damage(vm, mark)
                if self.gave_way:
                    self._loaded.remove(last)
        for module in reversed(self._loaded[:]):
            self._unload(vm, module)

    def _nodes(self, vm: Machine) -> set[str]:
        found = vm.run(["find", "/dev", "-xdev", "(", "-type", "c", "-o", "-type", "b", ")"]).stdout
        return set(found.split())


_GONE = 'while kill -0 "$1"; do :; done 2>/dev/null; true'
