# SPDX-License-Identifier: MIT
"""The text of a build (gcc, as, ld, objtool, modpost, make) to diagnostics, in the build's own files and lines.

An error inside a kernel header that the learner's code caused, by a macro or an include, is reported at the
learner's line: nobody mends a kernel header from a notebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kmodlab.build.diagnostics import Diagnostic, Severity, Tool
from kmodlab.build.hints import hint_for
from kmodlab.build.source import ModuleSource

__all__ = ["parse"]

_GCC = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:(?P<column>\d+):)? "
    r"(?P<severity>fatal error|error|warning|note): (?P<message>.*?)(?: \[(?P<option>-W[^\]]*)\])?$"
)
_INCLUDED = re.compile(r"^(?:In file included| +) from (?P<file>[^:]+):(?P<line>\d+)[:,]")
_CODE = re.compile(r"^ *\d* \| ?(.*)$")
_NOISE = re.compile(
    r"in (expansion|definition) of macro|each undeclared identifier|include '<std|include '<string|include '<math"
)

# Pattern, tool, severity; named groups: file, line, message, symbol.
_RULES: tuple[tuple[str, Tool, Severity], ...] = (
    (r"^(?P<file>[^\s:]+):(?P<line>\d+): Error: (?P<message>.*)$", "as", "error"),
    (r"^(?P<file>[^\s:]+):(?P<line>\d+): Warning: (?P<message>.*)$", "as", "warning"),
    (
        r"^(?:ld: )?(?P<file>[^\s:]+):(?P<line>\d+): (?P<message>(?:multiple definition|undefined ref).*)$",
        "ld",
        "error",
    ),
    (r"^(?:cc1|(?:[\w-]+-)?gcc(?:-\d+)?): (?:fatal )?error: (?P<message>.*)$", "gcc", "error"),
    (r"^ld: (?P<file>/[^\s:]+\.o): (?!in function)(?P<message>.*)$", "ld", "error"),
    (r"^(?:(?P<file>\S+\.k?o): )?warning: objtool: (?P<message>.*)$", "objtool", "warning"),
    (r"^(?:(?P<file>\S+\.k?o): )?error: objtool: (?P<message>.*)$", "objtool", "error"),
    (r'^ERROR: modpost: (?P<message>"(?P<symbol>\w+)" \[(?P<file>\S+)\] undefined!)$', "modpost", "error"),
    (r"^ERROR: modpost: (?P<message>missing \w+\(\) in (?P<file>\S+))$", "modpost", "error"),
    (r"^WARNING: modpost: (?P<message>missing \w+\(\) in (?P<file>\S+))$", "modpost", "warning"),
    (r"^ERROR: modpost: (?P<message>GPL-incompatible module (?P<file>\S+) uses .*)$", "modpost", "error"),
    (
        r"^ERROR: modpost: (?P<message>module (?P<file>\S+) uses symbol (?P<symbol>\w+) from namespace .*)$",
        "modpost",
        "error",
    ),
    (r"^ERROR: modpost: (?P<message>.*)$", "modpost", "error"),
    (r"^WARNING: modpost: (?P<message>(?P<file>/\S+?\.o)(?:\(\S+\))?: .*)$", "modpost", "warning"),
    (r"^WARNING: modpost: (?P<message>.*)$", "modpost", "warning"),
    (r"^(?P<file>/build/[^\s:]+):(?P<line>\d+): \*\*\* (?P<message>.*?)(?:  Stop)?\.?$", "make", "error"),
    (r"^make(?:\[\d+\])?: \*\*\* (?P<message>No rule to make target '[^']*')", "make", "error"),
    (r"^(?P<file>/build/[^\s:]+):(?P<line>\d+): (?P<message>(?!first defined).*)$", "make", "warning"),
)
_OTHERS = tuple((re.compile(pattern), tool, severity) for pattern, tool, severity in _RULES)


@dataclass(slots=True)
class _Said:
    """One gcc header line with what stands below it."""

    file: str
    line: int
    column: int | None
    severity: str
    message: str
    option: str
    included: list[tuple[str, int]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    notes: list[_Said] = field(default_factory=list)


def parse(output: str, source: ModuleSource) -> tuple[Diagnostic, ...]:
    """Return what the tools said in the output of a build, in order; lines that mean nothing to it are skipped."""
    found: list[Diagnostic] = []
    for item in _read(output):
        if isinstance(item, Diagnostic):
            found.append(_locate(item, source))
        else:
            found += _from_gcc(item, source)
    return tuple(dict.fromkeys(found))


def short_header(file: str) -> str:
    """Return a kernel header's path as the kernel's documentation names it: ``include/linux/module.h``."""
    return re.sub(r"^(?:\./|/usr/src/linux-headers-[^/]+/)", "", file)


def _read(output: str) -> Iterator[_Said | Diagnostic]:
    """Cut the output into what each tool said; gcc's notes are gathered under the error or warning they follow."""
    included: list[tuple[str, int]] = []
    head: _Said | None = None
    last: _Said | None = None
    for line in output.splitlines():
        if match := _INCLUDED.match(line):
            included = ([] if line.startswith("In") else included) + [(match["file"], int(match["line"]))]
        elif match := _GCC.match(line):
            column = int(match["column"]) if match["column"] else None
            option = (match["option"] or "").replace("-Werror=", "-W")
            last = _Said(match["file"], int(match["line"]), column, match["severity"], match["message"], option)
            last.included, included = included, included if last.severity == "note" else []
            if head and last.severity == "note":
                head.notes.append(last)
            else:
                if head:
                    yield head
                head = last
        elif last and (match := _CODE.match(line)):
            last.code.append(match[1])
        elif other := _other(line):
            if head:
                yield head
            head = last = None
            yield other
    if head:
        yield head


def _other(line: str) -> Diagnostic | None:
    for pattern, tool, severity in _OTHERS:
        if match := pattern.match(line):
            groups = match.groupdict()
            number = int(groups["line"]) if groups.get("line") else None
            message = groups["message"].replace("/build/", "")
            # The symbol rides in caret until the line where it is used has been found.
            return Diagnostic(
                groups.get("file") or "", number, None, severity, message, caret=groups.get("symbol") or "", tool=tool
            )
    return None


def _from_gcc(said: _Said, source: ModuleSource) -> Iterator[Diagnostic]:
    """The diagnostic, at the learner's own line if there is one, and those of its notes that help."""
    severity: Severity = "error" if "error" in said.severity else "warning" if said.severity == "warning" else "note"
    at = next((place for place in (said, *said.notes) if source.own(place.file)), said)
    if at is not said or source.own(said.file):
        line, column, caret = at.line, at.column, at.code[1] if len(at.code) > 1 else ""
        yield _gcc_diagnostic(at.file, line, column, severity, said, caret, at.code, source)
    else:
        own = next(((file, line) for file, line in said.included if source.own(file)), (said.file, said.line))
        yield _gcc_diagnostic(own[0], own[1], None, severity, said, "", [], source)
    for note in said.notes:
        if source.own(note.file) and not _NOISE.search(note.message):
            caret = note.code[1] if len(note.code) > 1 else ""
            yield _gcc_diagnostic(note.file, note.line, note.column, "note", note, caret, note.code, source)


def _gcc_diagnostic(
    file: str,
    line: int,
    column: int | None,
    severity: Severity,
    said: _Said,
    caret: str,
    code: list[str],
    source: ModuleSource,
) -> Diagnostic:
    raw = source.line(file, line)
    text = raw.expandtabs(8)
    if not set(caret) <= set(" ^~"):
        caret = ""
    if column and (not caret or (code and code[0].rstrip() != text.rstrip())):
        caret = " " * (column - 1) + "^"
    return Diagnostic(
        file=source.own(file) or short_header(file),
        line=line,
        column=_character(raw, column),
        severity=severity,
        message=said.message,
        option=said.option,
        source=text.rstrip(),
        caret=caret if text else "",
        hint=hint_for(said.message) if severity != "note" else "",
    )


def _character(text: str, column: int | None) -> int | None:
    """Turn gcc's column, which counts a tab as up to 8, into the number of a character."""
    if column is None or "\t" not in text:
        return column
    return next((count for count in range(1, len(text) + 1) if len(text[:count].expandtabs(8)) >= column), column)


def _locate(found: Diagnostic, source: ModuleSource) -> Diagnostic:
    """Name the C file and, where it can be found, the line that a tool after the compiler speaks of."""
    symbol, file, line = found.caret, source.own(found.file) or "", found.line
    if not file:
        stem = re.sub(r"\.(ko|mod\.o|o)$", "", found.file.removeprefix("/build/"))
        single = next((name for name in source.files if name.endswith(".c")), "") if source.single else ""
        file = f"{stem}.c" if f"{stem}.c" in source.files else single
        line = None
    if found.tool == "modpost" and not symbol and "GPL-incompatible" in found.message:
        symbol = "MODULE_LICENSE"
    if symbol and line is None:
        file, line = _use_of(symbol, file, source)
    text = source.line(file, line).expandtabs(8) if line else ""
    return Diagnostic(
        file, line, None, found.severity, found.message, "", text, "", found.tool, hint_for(found.message, found.tool)
    )


def _use_of(symbol: str, file: str, source: ModuleSource) -> tuple[str, int | None]:
    """The first line that uses a symbol, declarations apart; in the given file, or else in any."""
    word = re.compile(rf"\b{re.escape(symbol)}\b")
    names = [file] if file else [name for name in sorted(source.files) if name.endswith(".c")]
    declared: tuple[str, int | None] | None = None
    for name in names:
        for number, text in enumerate(source.files[name].decode(errors="replace").split("\n"), 1):
            code = re.sub(r'//.*|/\*.*?(\*/|$)|"(\\.|[^"\\])*"', "", text)
            if word.search(code):
                if not re.match(r"\s*extern\b", code):
                    return name, number
                declared = declared or (name, number)
    return declared or (file, None)
