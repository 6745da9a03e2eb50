# SPDX-License-Identifier: MIT
"""What a kernel's headers declare: an index of all names, made once for a kernel, and what they say of one name."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from kmodlab.build.cache import Store
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import HostSetupError
from kmodlab.progress import step
from kmodlab.records.conditions import parse_config
from kmodlab.records.declarations import Declaration, Kind, scan
from kmodlab.records.kernel_doc import KernelDoc

__all__ = ["ARCHES", "Excerpt", "Reference", "configuration", "ensure_reference", "find_reference"]

_FORM = 2  # raise it when the index or the way it is made changes
_INDEX = "index.sqlite"
ARCHES = {"x86_64": "x86", "aarch64": "arm64"}
"""What ``uname -m`` says to the folder of the kernel's tree."""

_PLACES = ("arch/{arch}/include", "arch/{arch}/include/generated", "include", "arch/{arch}/include/uapi",
           "arch/{arch}/include/generated/uapi", "include/uapi", "include/generated/uapi")  # fmt: skip
"""Where a header in angle brackets is looked for, in the order of the kernel's own Makefile."""

_UNWANTED = ("dt-bindings/",)
"""Numbers for device trees: a tenth of all names, and none for a module."""

_WRAPPED = "_noprof"
"""Since 6.10 ``kmalloc`` and its like are macros around functions with this ending, which have the prototype."""

_SCHEMA = """
create table files (id integer primary key, path text, shown text, header text, users integer);
create table names (name text, kind text, file integer, line integer, end integer, doc integer);
create table includes (file integer, included integer);
"""
_WORTH: tuple[Kind, ...] = (
    *("function", "struct", "union", "enum", "typedef", "macro", "prototype", "enumerator", "variable"),
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What one file of the kernel says of a name.

    Attributes:
        name: the name.
        kind: what it is there.
        file: the file's path in the kernel's tree: ``include/linux/slab.h``.
        line: on which it begins.
        code: its text, from that line on.
        comment: the comment right above it, with its marks; empty if there is none.
        header: what is included to have it: ``linux/slab.h``; empty for a file that nobody includes.
    """

    name: str
    kind: Kind
    file: str
    line: int
    code: str
    comment: str = ""
    header: str = ""

    @property
    def where(self) -> str:
        """``include/linux/slab.h:549``."""
        return f"{self.file}:{self.line}"

    @property
    def doc(self) -> KernelDoc | None:
        """What the comment says, or None."""
        return KernelDoc.parse(self.comment) if self.comment else None

    @property
    def documented(self) -> bool:
        """Whether the comment is one of kernel-doc."""
        return self.comment.startswith("/**")

    def with_comment(self, comment: str) -> Excerpt:
        """Return the same with another comment."""
        return dataclasses.replace(self, comment=comment)

    def prototype(self, most: int = 24) -> str:
        """Return how it is used: a function without its body, of anything else so many lines at most."""
        if self.kind == "function":
            return self.code.partition("{")[0].rstrip() + ";"
        lines = [re.sub(r"[ \t]+\\$", r" \\", line) for line in self.code.split("\n")]
        return "\n".join(lines) if len(lines) <= most else "\n".join([*lines[:most], "\t…"])


class Reference:
    """The index of one kernel.

    Attributes:
        kernel: whose headers they are.
        path: the SQLite file.
    """

    def __init__(self, kernel: KernelBuild, path: Path) -> None:
        self.kernel, self.path = kernel, path

    def find(self, name: str, *, included: Iterable[str] = ()) -> tuple[Excerpt, ...]:
        """Return what the headers say of a name, the likeliest first; empty if they do not know it.

        Args:
            name: a function, macro, struct … or constant.
            included: headers that are included where the name is used; what they declare comes first.
        """
        with self._open() as index:
            rows = index.execute(
                "select name, kind, line, end, doc, path, shown, header, users, file from names join files on file = id"
                " where name in (?, ?)",
                (name, name + _WRAPPED),
            ).fetchall()
        visible = _visible(self.path, frozenset(included))

        def worth(row: Sequence[object]) -> tuple[object, ...]:
            name_there, kind, _, _, doc, _, shown, _, users, file = row
            likely = (file in visible, bool(users), kind != "variable", name_there != name, bool(doc))
            return (*(not fact for fact in likely), _WORTH.index(kind), str(shown).count("/"), shown)

        return tuple(_excerpt(*row[:8]) for row in sorted(rows, key=worth))

    def names(self, prefix: str, *, included: Iterable[str] | None = None, most: int = 200) -> dict[str, Kind]:
        """Return the names that begin with a word, sorted, and what they are.

        Those with an underscore in front are left out unless the word has one.

        Args:
            prefix: the word, at least one letter.
            included: headers; only what is declared where these are included is returned. All if None.
            most: so many at most.
        """
        visible = None if included is None else _visible(self.path, frozenset(included))
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._open() as index:
            rows = index.execute(
                "select name, file, kind from names where name >= ? and name < ? and kind != 'include'", (prefix, last)
            ).fetchall()
        found = {
            name: kind
            for name, file, kind in sorted(rows)
            if (visible is None or file in visible) and name.startswith("_") == prefix.startswith("_")
        }
        return dict(islice(found.items(), most))

    def headers(self, prefix: str) -> list[str]:
        """Return the headers whose names begin so, down to the next slash: ``linux/slab.h``, ``linux/usb/``."""
        with self._open() as index:
            rows = index.execute("select header from files where header glob ?", (f"{prefix}*",)).fetchall()
        ends = ((header, header.find("/", len(prefix))) for (header,) in rows)
        return sorted({header if end < 0 else header[: end + 1] for header, end in ends})

    def similar(self, name: str) -> list[str]:
        """Return names that begin as a word does, for guesses at what was meant."""
        with self._open() as index:
            rows = index.execute("select distinct name from names where name glob ?", (f"{name[:3]}*",)).fetchall()
        return [other for (other,) in rows]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro&immutable=1", uri=True)) as index:
            yield index


@lru_cache(maxsize=16)
def _visible(path: Path, included: frozenset[str]) -> frozenset[int]:
    """The files that come along with headers, themselves included."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as index:
        marks = ",".join("?" * len(included))
        found = {file for (file,) in index.execute(f"select id from files where header in ({marks})", [*included])}
        edges: dict[int, list[int]] = {}
        for file, other in index.execute("select file, included from includes"):
            edges.setdefault(file, []).append(other)
    waiting = list(found)
    while waiting:
        new = set(edges.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return frozenset(found)


def _excerpt(name: str, kind: Kind, line: int, end: int, doc: int, path: str, shown: str, header: str) -> Excerpt:
    lines = Path(path).read_text(errors="replace").split("\n")
    comment = "\n".join(lines[doc - 1 : line - 1]).strip() if doc else ""
    return Excerpt(name, kind, shown, line, "\n".join(lines[line - 1 : end]), comment, header)


def find_reference(kernel: KernelBuild, cache: Path) -> Reference | None:
    """Return the index of a kernel if it was made already."""
    entry = _store(cache).get(_key(kernel))
    return Reference(kernel, entry.path(_INDEX)) if entry else None


def ensure_reference(kernel: KernelBuild, cache: Path) -> Reference:
    """Return the index of a kernel, made if it is not there, which takes some five seconds.

    Raises:
        HostSetupError: the kernel's headers are not there, or the disk is full.
    """
    found = find_reference(kernel, cache)
    if found is None:
        with step(f"Indexing the headers of {kernel.release}"):
            content = _make(kernel)
        _store(cache).put(_key(kernel), {_INDEX: content}, {"release": kernel.release})
        found = find_reference(kernel, cache)
    if found is None:
        raise HostSetupError(f"index the headers of {kernel.release}: the index is gone after it was made; try again")
    return found


@lru_cache
def _store(cache: Path) -> Store:
    return Store(cache / "reference", most=20)


def _key(kernel: KernelBuild) -> str:
    return hashlib.sha256(f"{_FORM} {kernel.key} {kernel.root}".encode()).hexdigest()[:40]


def _make(kernel: KernelBuild) -> bytes:
    """The index as the bytes of an SQLite file."""
    trees, config = _trees(kernel), configuration(kernel)
    with contextlib.closing(sqlite3.connect(":memory:")) as index:
        index.executescript(_SCHEMA)
        ids: dict[str, int] = {}
        wanted: list[tuple[int, str]] = []
        for number, (path, shown, header) in enumerate(_headers(kernel, trees), 1):
            ids.setdefault(header, number)
            index.execute("insert into files values (?, ?, ?, ?, 0)", (number, str(path), shown, header))
            found = list(scan(path.read_text(errors="replace"), config))
            wanted += [(number, one.name) for one in found if one.kind == "include"]
            index.executemany("insert into names values (?, ?, ?, ?, ?, ?)", _rows(found, number))
        pairs = [(number, ids[name]) for number, name in wanted if name in ids]
        index.executemany("insert into includes values (?, ?)", pairs)
        index.execute("update files set users = (select count(*) from includes where included = id)")
        index.execute("create index by_name on names (name)")
        index.commit()
        return index.serialize()


def _rows(found: Iterable[Declaration], file: int) -> Iterator[tuple[object, ...]]:
    yield from ((one.name, one.kind, file, one.line, one.end, one.doc) for one in found if one.kind != "include")


def _trees(kernel: KernelBuild) -> list[Path]:
    """The folders of the headers: those of the flavour, and those that all flavours share.

    Raises:
        HostSetupError: they are not there.
    """
    top = kernel.root / "usr" / "src"
    trees = [kernel.headers_here, *sorted(top.glob("linux-headers-*-common"))]
    if not (trees[0] / "include" / "generated" / "autoconf.h").is_file():
        raise HostSetupError(f"read the headers of {kernel.release}: {trees[0]} is not there; run ./lab setup")
    return trees


def configuration(kernel: KernelBuild) -> dict[str, str]:
    """Return the symbols of a kernel's configuration and their values.

    Raises:
        HostSetupError: its headers are not there.
    """
    return parse_config((_trees(kernel)[0] / "include" / "generated" / "autoconf.h").read_text())


def _headers(kernel: KernelBuild, trees: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
    """Each header once: its path, what it is called in the kernel's tree, and by what name it is included."""
    seen: set[Path] = set()
    for pattern in _PLACES:
        place = pattern.format(arch=ARCHES.get(kernel.arch, kernel.arch))
        for tree in trees:
            folder = tree / place
            for path in sorted(folder.rglob("*.h")):
                header = path.relative_to(folder).as_posix()
                inner = header.startswith(("uapi/", "generated/uapi/", *_UNWANTED)) or path in seen
                if not inner and path.is_file():
                    seen.add(path)
                    yield path, f"{place}/{header}", header
