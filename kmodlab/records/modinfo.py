# SPDX-License-Identifier: MIT
"""What a module's file says about itself, shown as the command ``modinfo`` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from kmodlab.records.elf import ModuleFile, Section
from kmodlab.records.table import Column, Rows

__all__ = ["ModInfo", "ModuleParameter"]


@dataclass(frozen=True, slots=True)
class ModuleParameter:
    """A parameter that can be given when the module is loaded: ``insmod hello.ko name=value``.

    Attributes:
        name: its name.
        type: the kernel's word for what it takes, such as ``int``, ``bool``, ``charp`` (a text), ``array of int``.
        description: what ``MODULE_PARM_DESC`` says, or empty.
    """

    name: str
    type: str
    description: str = ""

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("name", "parameter"), Column("type"), Column("description"))


@dataclass(frozen=True, slots=True)
class ModInfo:
    """What ``modinfo`` says of a module.

    Attributes:
        filename: where the file lies; empty if it was read from memory.
        name: the module's name.
        license, description, version: as the source gives them, or empty.
        author: one entry for each ``MODULE_AUTHOR``.
        depends: the modules that must be loaded first.
        softdep: the modules that are better loaded too, as ``modinfo`` writes them.
        alias: what else ``modprobe`` knows it by.
        namespaces: the symbol namespaces it imports.
        vermagic: the kernel it was built for.
        intree: true if it was built with the kernel itself.
        signed: true if a signature is appended.
        parameters: what can be given when it is loaded.
        sections: those that are given memory when it is loaded, the largest first.
    """

    filename: str
    name: str
    license: str
    description: str
    version: str
    author: tuple[str, ...]
    depends: tuple[str, ...]
    softdep: tuple[str, ...]
    alias: tuple[str, ...]
    namespaces: tuple[str, ...]
    vermagic: str
    intree: bool
    signed: bool
    parameters: Rows[ModuleParameter]
    sections: Rows[Section] = field(default_factory=Rows)

    @classmethod
    def from_file(cls, file: ModuleFile, filename: str = "") -> ModInfo:
        """Return what a module's file says; ``filename`` is only shown."""
        return cls(
            filename=filename,
            name=file.name,
            license=", ".join(file.info("license")),
            description="\n".join(file.info("description")),
            version=", ".join(file.info("version")),
            author=file.info("author"),
            depends=tuple(name for value in file.info("depends") for name in value.split(",") if name),
            softdep=file.info("softdep"),
            alias=file.info("alias"),
            namespaces=file.info("import_ns"),
            vermagic=" ".join(file.info("vermagic")).strip(),
            intree=bool(file.info("intree")),
            signed=file.signed,
            parameters=Rows(_parameters(file), caption="Parameters", columns=ModuleParameter.COLUMNS),
            sections=Rows(_sections(file), caption=f"Sections of {file.name}.ko", columns=Section.COLUMNS),
        )

    @property
    def release(self) -> str:
        """The kernel release it was built for: the first word of ``vermagic``."""
        return self.vermagic.partition(" ")[0]

    def fields(self) -> Iterator[tuple[str, str]]:
        """Return what is shown, as pairs of label and text, in the order of ``modinfo``."""
        pairs = [
            ("filename", self.filename),
            ("version", self.version),
            ("license", self.license),
            ("description", self.description),
            *(("author", author) for author in self.author),
            *(("alias", alias) for alias in self.alias),
            *(("softdep", softdep) for softdep in self.softdep),
            *(("import_ns", namespace) for namespace in self.namespaces),
        ]
        yield from (pair for pair in pairs if pair[1])
        yield "depends", ",".join(self.depends)
        yield "intree", "yes" if self.intree else "no"
        yield "name", self.name
        yield "vermagic", self.vermagic
        for parameter in self.parameters:
            kind = f" ({parameter.type})" if parameter.description else parameter.type
            yield "parm", f"{parameter.name}:{parameter.description}{kind}"

    def __str__(self) -> str:
        """Return it as ``modinfo`` prints it."""
        return "\n".join(f"{label + ':':<16}{text}" for label, text in self.fields())

    def _repr_html_(self) -> str:
        """Return it as a table for a notebook."""
        rows = [_Field(label, text) for label, text in self.fields()]
        return Rows(rows, caption=f"modinfo {self.name}", columns=_Field.COLUMNS)._repr_html_()


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    text: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (Column("name", "field"), Column("text", "value"))


def _sections(file: ModuleFile) -> list[Section]:
    return sorted((one for one in file.sections if one.size), key=lambda one: (-one.size, one.name))


def _parameters(file: ModuleFile) -> Iterator[ModuleParameter]:
    described = dict(_split(value) for value in file.info("parm"))
    types = dict(_split(value) for value in file.info("parmtype"))
    for name in dict.fromkeys([*types, *described]):
        yield ModuleParameter(name, types.get(name, ""), described.get(name, ""))


def _split(value: str) -> tuple[str, str]:
    name, _, rest = value.partition(":")
    return name, rest
