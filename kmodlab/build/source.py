# SPDX-License-Identifier: MIT
"""The source of a kernel module: C files and a Kbuild, from a notebook's cell, a file or a folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kmodlab.build.folder import read_file, read_folder, regular_inside
from kmodlab.build.makefile import modules_of
from kmodlab.build.names import check_name, shorten
from kmodlab.errors import UsageError

__all__ = ["ModuleSource"]

_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LOCAL_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+"([^"\n\0]+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class ModuleSource:
    """C files and a Kbuild. Two are equal if they hold the same and show it under the same name and lines.

    Attributes:
        name: of the module; of the folder if it makes several.
        files: relative path to content, the Kbuild (or Makefile) included.
        modules: the names of the modules it makes; empty if only make can tell.
        shown: what its C file is called in messages, where that is not its own name: a cell's.
        first_line: the line of the cell on which the C begins.
        single: true if it is one C file with a Kbuild written for it.
    """

    name: str
    files: Mapping[str, bytes]
    modules: tuple[str, ...]
    shown: str = ""
    first_line: int = 1
    single: bool = False

    @classmethod
    def from_text(cls, name: str, c_text: str, *, filename: str | None = None, first_line: int = 1) -> ModuleSource:
        """Return the source of a one-file module.

        Args:
            name: of the module.
            c_text: its C.
            filename: what to call it in messages; ``NAME.c`` if None.
            first_line: the line of the cell on which the C begins, so that messages can name the cell's lines.

        Raises:
            UsageError: the name cannot be had, or the text holds no C.
        """
        check_name(name)
        try:
            content = c_text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"read {name}: character {error.start + 1} is half of a surrogate pair, which no file can hold; "
                "delete it"
            ) from None
        shown = filename or ""
        return cls._single(name, f"{name}.c", content, shown=shown, first_line=first_line)

    @classmethod
    def from_path(cls, path: str | Path) -> ModuleSource:
        """Return the source in a ``.c`` file, or in a folder whose Kbuild or Makefile sets ``obj-m``.

        Of a file's neighbours, the headers that it includes by ``"..."`` come along. Of a folder all comes along
        except what a build leaves there, notes and notebooks, and links that lead out of it.

        Raises:
            UsageError: there is no such thing there, or a module's name cannot be had.
        """
        place = Path(path)
        if place.is_dir():
            return cls._folder(place)
        if not place.exists():
            raise UsageError(f"read {place}: No such file or directory (ENOENT); give a .c file or a module's folder")
        if place.suffix != ".c":
            raise UsageError(f"read {place}: not a .c file; give a .c file or a folder whose Kbuild sets obj-m")
        check_name(place.stem.replace("-", "_"))
        content = read_file(place)
        return cls._single(place.stem, place.name, content, neighbours=_neighbours(place.parent, content))

    @classmethod
    def _single(
        cls,
        stem: str,
        file: str,
        content: bytes,
        *,
        shown: str = "",
        first_line: int = 1,
        neighbours: Mapping[str, bytes] = MappingProxyType({}),
    ) -> ModuleSource:
        shown_name, name = shown or file, stem.replace("-", "_")
        if not _COMMENT.sub("", content.decode(errors="replace").lstrip("\ufeff")).strip():
            raise UsageError(f"build {name}: {shown_name} holds no C; write the module's code below the first line")
        _check_bytes(shown_name, content, first_line)
        kbuild = f"obj-m := {stem}.o\n".encode()
        files = {**neighbours, file: content, "Kbuild": kbuild}
        return cls(name, MappingProxyType(files), (name,), shown, first_line, single=True)

    @classmethod
    def _folder(cls, place: Path) -> ModuleSource:
        kbuild = next((place / name for name in ("Kbuild", "Makefile") if (place / name).is_file()), None)
        if kbuild is None:
            raise UsageError(
                f"read {place}: neither a Kbuild nor a Makefile is there; write a Kbuild that says obj-m := NAME.o"
            )
        files = read_folder(place)
        text = files.get(kbuild.name, b"").decode(errors="replace")

        def below(folder: str) -> str | None:
            names = (f"{folder}/Kbuild", f"{folder}/Makefile")
            return next((files[name].decode(errors="replace") for name in names if name in files), None)

        modules = modules_of(text, below)
        if modules is None:
            raise UsageError(f"read {kbuild}: it never sets obj-m, so it makes no module; write obj-m := NAME.o")
        for module in modules:
            check_name(module)
        for name, content in files.items():
            if name.endswith((".c", ".h")):
                _check_bytes(name, content, 1)
        name = modules[0] if len(modules) == 1 else place.resolve().name
        return cls(name, MappingProxyType(files), modules)

    @property
    def key(self) -> str:
        """A hash of what is built (hexadecimal): the same for the same files, whatever they are called in messages."""
        digest = hashlib.sha256(self.name.encode())
        for name, content in sorted(self.files.items()):
            digest.update(f"\0{name}\0{len(content)}\0".encode(errors="surrogateescape") + content)
        return digest.hexdigest()

    def place(self, file: str, line: int | None) -> tuple[str, int | None]:
        """Return the file and line as the learner knows them, for a file and line of the build.

        ``("/build/hello.c", 3)`` becomes ``("hello.c", 3)``, or for a cell its name and the cell's own line.
        """
        name = self.own(file)
        if name is None or not self.single or not name.endswith(".c"):
            return name or file, line
        return self.shown or name, None if line is None else line + self.first_line - 1

    def own(self, file: str) -> str | None:
        """Return the relative path of a file of the build that is one of this source's, or None."""
        name = file.removeprefix("/build/").removeprefix("./")
        return name if name in self.files else None

    def line(self, file: str, line: int) -> str:
        """Return the text of a line of one of the files, by the build's own numbers; empty if there is none."""
        lines = self.files.get(self.own(file) or "", b"").decode(errors="replace").split("\n")
        return lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModuleSource):
            return NotImplemented
        return self.files == other.files and (self.name, self.shown, self.first_line) == (
            other.name,
            other.shown,
            other.first_line,
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        names = ", ".join(sorted(self.files))
        return f"ModuleSource({self.name}: {names})"


def _check_bytes(shown: str, content: bytes, first_line: int) -> None:
    at = content.find(b"\0")
    if at >= 0:
        line = content.count(b"\n", 0, at) + first_line
        raise UsageError(f"read {shorten(shown)[1:-1]}: line {line} holds a NUL byte, which is no part of C; delete it")


def _neighbours(folder: Path, content: bytes) -> dict[str, bytes]:
    """The headers beside a C file that it includes by "...", and those that they include."""
    root = folder.resolve()
    found: dict[str, bytes] = {}
    waiting = [content]
    while waiting:
        for name in _LOCAL_INCLUDE.findall(waiting.pop()):
            relative = Path(name.decode(errors="replace"))
            path = regular_inside(folder / relative, root)
            key = relative.as_posix()
            if key not in found and ".." not in relative.parts and path:
                found[key] = read_file(path)
                waiting.append(found[key])
    return found
