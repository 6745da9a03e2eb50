# SPDX-License-Identifier: MIT
"""The folders beside this file, each a faulty or hostile module, and what its ``fault.toml`` says of it.

``fault.toml`` holds:

- ``summary``: what it does, in one sentence;
- ``verdict``: one of the words of ``kmodlab.verdict``;
- ``title``: a regular expression that is found in the verdict's title, whatever the case; left out where it is free;
- ``function``: the function of the module to blame; left out where there is none or any will do;
- ``line``: ``none`` if no line of the module is to blame, ``either`` if the one that is marked may be named or none.
  Left out, it is a line that ends in ``/* HERE */``; if there are several, any of them;
- ``finding``: a regular expression that is found in the title of a finding;
- ``failing``: the kind of a finding that fails the module, although the verdict by itself may be clean;
- ``parameters``, and ``exec``: lines for the guest's shell while the module is loaded;
- ``leaks``: all memory that is lost: ``size`` in bytes, ``line = "HERE"``, and ``count`` if it is lost more than once;
- ``kernels``: the kernels that behave so;
- ``fast``: whether it is one of those that are tried by default.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER", "Fault", "faults", "table"]

FOLDER = Path(__file__).parent
_MARK = re.compile(r"/\* HERE \*/$")
_KEYS = {
    *("summary", "verdict", "title", "function", "line", "finding", "failing", "parameters", "exec", "leaks"),
    *("kernels", "fast"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A faulty module, and what should be said of it.

    Attributes:
        folder: its source.
        summary: what it does.
        verdict: the word expected.
        title: expression for the verdict's title, or None.
        function: the function expected, or None where any will do.
        lines: pairs (file, line) that end in ``/* HERE */``.
        line: ``here``, ``none`` or ``either``.
        finding: expression for the title of a finding, or None.
        failing: kind of a finding that fails it, or None.
        parameters: of the module.
        exec: lines for the guest's shell.
        leaks: size of each object that is lost, or None where that is not looked at.
        kernels: a version specifier.
        fast: whether it belongs to the default set.
    """

    folder: Path
    summary: str
    verdict: str
    title: str | None
    function: str | None
    lines: tuple[tuple[str, int], ...]
    line: str
    finding: str | None
    failing: str | None
    parameters: dict[str, int | str]
    exec: tuple[str, ...]
    leaks: tuple[int, ...] | None
    kernels: str
    fast: bool

    @classmethod
    def read(cls, folder: Path) -> Fault:
        """Read a folder.

        Raises:
            ValueError: its ``fault.toml`` has a key that means nothing.
        """
        said = tomllib.loads((folder / "fault.toml").read_text())
        if unknown := set(said) - _KEYS:
            raise ValueError(f"{folder.name}/fault.toml: no such key: {', '.join(sorted(unknown))}")
        lines = tuple(marked(folder))
        # A module that is refused or clean is not told its line: its marks, if any, are those of its leaks.
        quiet = not lines or said["verdict"] in {"clean", "load-error"}
        leaks = said.get("leaks")
        return cls(
            folder=folder,
            summary=said["summary"],
            verdict=said["verdict"],
            title=said.get("title"),
            function=said.get("function"),
            lines=lines,
            line=said.get("line", "none" if quiet else "here"),
            finding=said.get("finding"),
            failing=said.get("failing"),
            parameters=said.get("parameters", {}),
            exec=tuple(said.get("exec", ())),
            leaks=None if leaks is None else tuple(one["size"] for one in leaks for _ in range(one.get("count", 1))),
            kernels=said["kernels"],
            fast=said["fast"],
        )

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def marked(folder: Path) -> list[tuple[str, int]]:
    """Return file and number of each line of a folder's source that ends in ``/* HERE */``."""
    return [
        (path.relative_to(folder).as_posix(), number)
        for path in sorted(folder.rglob("*.[ch]"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if _MARK.search(line)
    ]


def faults() -> list[Fault]:
    """Return all of them, by name."""
    return [Fault.read(path.parent) for path in sorted(FOLDER.glob("*/fault.toml"))]


def table() -> str:
    """Return folder, verdict, line and summary of each, as a table in Markdown."""
    rows = [f"| `{one.name}` | {one.verdict} | {_place(one)} | {one.summary} |" for one in faults()]
    return "\n".join(["| folder | verdict | line | what it does |", "|---|---|---|---|", *rows])


def _place(fault: Fault) -> str:
    places = [f"{file}:{line}" for file, line in fault.lines]
    if fault.line == "none" or not places:
        return "none"
    return " or ".join(places) + (" or none" if fault.line == "either" else "")
