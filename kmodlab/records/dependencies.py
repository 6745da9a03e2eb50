# SPDX-License-Identifier: MIT
"""Which module leans on which, and by which symbols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from kmodlab.errors import UsageError
from kmodlab.records.elf import ModuleFile
from kmodlab.records.modules import LoadedModule
from kmodlab.records.table import Column, Rows

__all__ = ["Dependency", "DependencyGraph", "DependencyNode", "parse_modules_dep"]


@dataclass(frozen=True, slots=True)
class DependencyNode:
    """A module in the graph.

    Attributes:
        name: the module.
        size: bytes it takes in the kernel; ``None`` if it is not loaded.
        refcount: how many users hold it, modules and others; ``None`` if not loaded or not counted.
        loaded: true if it is in the kernel now.
        taints: the letters it taints the kernel with; ``O`` says that it is not part of the kernel's source.
    """

    name: str
    size: int | None
    refcount: int | None
    loaded: bool = True
    taints: str = ""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "module"),
        Column("size", kind="bytes"),
        Column("refcount", kind="number"),
        Column("loaded"),
    )


@dataclass(frozen=True, slots=True)
class Dependency:
    """One module leans on another.

    Attributes:
        user: the module that needs the other.
        provider: the module that is needed.
        symbols: the provider's exported symbols that the user's file imports, sorted; empty if a file is
            missing, or if the user finds the symbols at run time.
        soft: true if it only asks to have the other loaded too (``softdep``) and does not need it.
    """

    user: str
    provider: str
    symbols: tuple[str, ...] = ()
    soft: bool = False

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("user", "module"),
        Column("provider", "leans on"),
        Column("symbols", "by these symbols", "code"),
        Column("soft"),
    )


@dataclass(frozen=True, slots=True)
class DependencyGraph:
    """Modules, and which leans on which.

    Attributes:
        nodes: the modules, in the order of ``/proc/modules``; those not loaded come last.
        edges: who leans on whom.
    """

    nodes: Rows[DependencyNode]
    edges: Rows[Dependency]

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[LoadedModule],
        module_files: Mapping[str, ModuleFile] = MappingProxyType({}),
        modules_dep: str | None = None,
        softdeps: str | None = None,
    ) -> DependencyGraph:
        """Return the graph of the loaded modules, and of those whose files are given besides.

        Args:
            rows: the rows of ``/proc/modules``; its column of holders says who leans on whom.
            module_files: module files by module name; symbols come from them. A module that is not among
                the rows becomes a node that is not loaded.
            modules_dep: the text of ``modules.dep``, for what modules that are not loaded would need.
            softdeps: the text of ``modules.softdep``; what the module files say of it counts too.
        """
        loaded = {row.name: row for row in rows}
        nodes = [DependencyNode(row.name, row.size, row.refcount, taints=row.taints) for row in loaded.values()]
        edges = {(holder, row.name): False for row in loaded.values() for holder in row.holders if holder in loaded}
        absent = [name for name in module_files if name not in loaded]
        edges.update(dict.fromkeys(_edges_of_absent(absent, [*loaded, *absent], module_files, modules_dep), False))
        used = {name for edge in edges for name in edge}
        absent = list(dict.fromkeys([*absent, *sorted(used - loaded.keys())]))
        nodes += [DependencyNode(name, None, None, loaded=False) for name in absent]
        for pair in _soft(nodes, module_files, softdeps):
            edges.setdefault(pair, True)
        found = [Dependency(*pair, _symbols(*pair, module_files), soft) for pair, soft in edges.items()]
        return cls(_nodes(nodes), _edges(found))

    def node(self, name: str) -> DependencyNode:
        """Return one module.

        Raises:
            KeyError: it is not in the graph.
        """
        return self.nodes.named(name)

    def providers(self, name: str) -> Rows[Dependency]:
        """Return what this module leans on, directly."""
        return self.edges.filter(lambda edge: edge.user == name)

    def users(self, name: str) -> Rows[Dependency]:
        """Return what leans on this module, directly."""
        return self.edges.filter(lambda edge: edge.provider == name)

    def around(self, *names: str) -> DependencyGraph:
        """Return the part of the graph that these modules need, and that needs them, however indirectly.

        Raises:
            UsageError: a name is not in the graph.
        """
        known = {node.name for node in self.nodes}
        for name in names:
            if name.replace("-", "_") not in known:
                raise UsageError(f"find {name} among the modules: it is not loaded; load it first, or leave it out")
        wanted = {name.replace("-", "_") for name in names}
        below = _reach(wanted, {(edge.user, edge.provider) for edge in self.edges})
        above = _reach(wanted, {(edge.provider, edge.user) for edge in self.edges})
        return self._only(below | above)

    def connected(self) -> DependencyGraph:
        """Return the graph without the modules that neither lean on another nor are leaned on."""
        return self._only({name for edge in self.edges for name in (edge.user, edge.provider)})

    def _only(self, names: set[str]) -> DependencyGraph:
        return DependencyGraph(
            self.nodes.filter(lambda node: node.name in names),
            self.edges.filter(lambda edge: edge.user in names and edge.provider in names),
        )

    def __str__(self) -> str:
        """Return the edges and the modules as tables."""
        return f"{self.edges}\n\n{self.nodes}"

    def _repr_html_(self) -> str:
        """Return the edges and the modules as tables for a notebook."""
        return self.edges._repr_html_() + self.nodes._repr_html_()


def _nodes(nodes: Iterable[DependencyNode]) -> Rows[DependencyNode]:
    return Rows(nodes, caption="Modules", columns=DependencyNode.COLUMNS)


def _edges(edges: Iterable[Dependency]) -> Rows[Dependency]:
    return Rows(edges, caption="Dependencies between modules", columns=Dependency.COLUMNS)


def _symbols(user: str, provider: str, files: Mapping[str, ModuleFile]) -> tuple[str, ...]:
    if user not in files or provider not in files:
        return ()
    offered = {export.name for export in files[provider].exports}
    return tuple(name for name in files[user].imports if name in offered)


def _edges_of_absent(
    absent: Iterable[str], names: Iterable[str], files: Mapping[str, ModuleFile], modules_dep: str | None
) -> Iterator[tuple[str, str]]:
    """Return who would lean on whom among modules that are not loaded."""
    needs = parse_modules_dep(modules_dep or "")
    home = {export.name: name for name in names if name in files for export in files[name].exports}
    for user in absent:
        direct = {home[symbol] for symbol in files[user].imports if symbol in home}
        # modules.dep also lists what the needed modules need themselves; that is not this module's own edge.
        listed = needs.get(user, ())
        indirect = {name for other in listed for name in needs.get(other, ())}
        direct |= {name for name in listed if name not in indirect}
        yield from ((user, provider) for provider in sorted(direct) if provider != user)


def parse_modules_dep(text: str) -> dict[str, tuple[str, ...]]:
    """Return the lines of ``modules.dep`` (``kernel/fs/btrfs/btrfs.ko: kernel/crypto/xor.ko …``) by module name."""
    lines = (line.partition(":") for line in text.splitlines())
    return {_stem(user): tuple(_stem(path) for path in providers.split()) for user, _, providers in lines}


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_").strip()


def _soft(
    nodes: Iterable[DependencyNode], files: Mapping[str, ModuleFile], softdeps: str | None
) -> Iterator[tuple[str, str]]:
    """Return the soft dependencies among these modules, ``pre:`` and ``post:``, aliases resolved."""
    names = {node.name for node in nodes}
    alias = {alias: name for name, file in files.items() if name in names for alias in file.info("alias")}
    wanted = [(name, text) for name, file in files.items() for text in file.info("softdep")]
    for line in (softdeps or "").splitlines():
        word, _, rest = line.partition(" ")
        if word == "softdep":
            wanted.append((_stem(rest.partition(" ")[0]), rest.partition(" ")[2]))
    for user, text in wanted:
        for word in text.split():
            provider = word.replace("-", "_") if word.replace("-", "_") in names else alias.get(word, "")
            if user in names and provider in names and provider != user and not word.endswith(":"):
                yield user, provider


def _reach(start: set[str], arrows: set[tuple[str, str]]) -> set[str]:
    """Return everything that can be reached from these along the arrows, themselves included."""
    onward: dict[str, list[str]] = {}
    for source, target in arrows:
        onward.setdefault(source, []).append(target)
    seen, todo = set(start), list(start)
    while todo:
        for name in onward.get(todo.pop(), ()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen
