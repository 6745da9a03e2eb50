# SPDX-License-Identifier: MIT
"""Diagnostics: the captured output of real builds, and text that no build ever printed."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.build.diagnostics import Diagnostic, as_seen, summary
from kmodlab.build.parse import parse
from kmodlab.build.source import ModuleSource

CAPTURED = Path(__file__).parents[1] / "data" / "kbuild" / "debian-6.1-gcc-12.txt"


def case(name: str) -> tuple[ModuleSource, str]:
    """Return the source and the output of a captured build."""
    text = re.split(r"^=== ", CAPTURED.read_text(), flags=re.MULTILINE)
    body = next(part.partition("\n")[2] for part in text if part.partition("\n")[0] == name)
    files = {}
    for part in re.split(r"^--- ", body, flags=re.MULTILINE)[1:]:
        file, _, content = part.partition("\n")
        files[file] = content.encode()
    output = files.pop("output").decode()
    return ModuleSource(name, MappingProxyType(files), (name,), single=len(files) == 1), output


def said(name: str) -> list[Diagnostic]:
    return list(parse(case(name)[1], case(name)[0]))


def first_error(name: str) -> Diagnostic:
    return next(diagnostic for diagnostic in said(name) if diagnostic.severity == "error")


# Name of the case, where its first error lies, what the tool said, what the hint says.
ERRORS = [
    ("syntax", "syntax.c:7:2", "expected expression before", "a ; or a bracket is missing"),
    ("printf", "printf.c:6:2", "implicit declaration of function 'printf'", "use pr_info()"),
    ("kmalloc", "kmalloc.c:6:12", "'kmalloc'", "#include <linux/slab.h>"),
    ("undeclared", "undeclared.c:6:18", "'foo' undeclared", "check the spelling"),
    ("stdio", "stdio.c:3:10", "stdio.h: No such file", "belongs to the C library"),
    ("quotes", "quotes.c:6:10", "stray '\\342'", "copied from a web page"),
    ("undef", "undef.c:6", '"no_such" [undef.ko] undefined!', "no part of the kernel offers no_such"),
    ("gpl", "gpl.c:13", "GPL-incompatible", 'MODULE_LICENSE("GPL")'),
    ("nolic", "nolic.c", "missing MODULE_LICENSE()", 'write MODULE_LICENSE("GPL");'),
    ("ns", "ns.c:6", "from namespace DMA_BUF", "MODULE_IMPORT_NS(DMA_BUF)"),
    ("wrongsig", "wrongsig.c:11:13", "incompatible return type", "compare the function"),
    ("fops", "fops.c:5:45", "incompatible pointer type", "compare the function"),
    ("brace", "brace.c:9:20", "invalid storage class", "a { further up has no }"),
    ("flt", "flt.c:6:33", "SSE register return", "floating point"),
    ("incpw", "incpw.c:3:10", "/etc/passwd: No such file", "nothing else of this computer"),
    ("incbin", "incbin.c", "file not found: /etc/shadow", "nothing else of this computer"),
    ("asmb", "asmb.c:6", "no such instruction", "asm()"),
    ("macro", "macro.c:3:26", "'y' undeclared", "has not seen y"),
    ("ret", "ret.c:8:1", "no return statement", "0 for success"),
    ("sep", "Kbuild:2", "missing separator", "obj-m := NAME.o"),
    ("norule", "", "No rule to make target 'norul.o'", "no norul.c"),
    ("multi", "b.c:1", "multiple definition of `dup'", "defined in two files"),
]


@pytest.mark.parametrize(("name", "where", "message", "hint"), ERRORS)
def test_a_frequent_mistake_is_placed_and_explained(name: str, where: str, message: str, hint: str) -> None:
    error = first_error(name)
    assert error.where == where
    assert message in error.message
    assert hint in error.hint
    assert "/build" not in str(error)
    if error.line:
        source = case(name)[0]
        assert error.source == source.line(error.file, error.line).expandtabs(8).rstrip()


@pytest.mark.parametrize("name", [name for name, *_ in ERRORS])
def test_the_caret_stands_below_what_is_meant(name: str) -> None:
    for diagnostic in said(name):
        if diagnostic.caret:
            assert set(diagnostic.caret) <= set(" ^~")
            assert diagnostic.column
            assert diagnostic.caret.count("^") == 1
            before = case(name)[0].line(diagnostic.file, diagnostic.line or 0)[: diagnostic.column - 1]
            assert diagnostic.caret.index("^") == len(before.expandtabs(8))


def test_the_span_of_the_compiler_is_kept() -> None:
    assert first_error("printf").caret.strip() == "^~~~~~"
    assert first_error("flt").caret.strip() == "~~^~~"


def test_warnings_come_in_order_with_the_option_that_silences_them() -> None:
    assert [(item.line, item.severity, item.option) for item in said("warn")] == [
        (6, "warning", "-Woverflow"),
        (6, "warning", "-Wformat="),
        (6, "warning", "-Wunused-variable"),
        (6, "warning", "-Wunused-variable"),
    ]


def test_an_error_in_a_kernel_header_is_shown_at_the_line_that_caused_it() -> None:
    assert all(item.file == "syntax.c" for item in said("syntax"))
    assert all(item.file == "brace.c" for item in said("brace"))


def test_a_note_that_helps_is_kept_and_noise_is_not() -> None:
    assert [item.message for item in said("wrongsig") if item.severity == "note"] == ["aliased declaration here"]
    assert not [item for item in said("printf") if item.severity == "note"]


def test_modpost_warns_too() -> None:
    (warning,) = said("section")
    assert (warning.tool, warning.severity, warning.file) == ("modpost", "warning", "section.c")
    assert "freed after init" in warning.hint


def test_the_make_lines_that_only_report_a_failure_are_left_out() -> None:
    for name, *_ in ERRORS:
        assert not [item for item in said(name) if re.search(r"Error \d|Makefile", item.message)]


def test_a_cells_errors_are_shown_on_the_cells_own_lines() -> None:
    whole, output = case("syntax")
    cell = ModuleSource.from_text("syntax", whole.files["syntax.c"].decode(), filename="In [4]", first_line=3)
    seen = as_seen(parse(output, cell), cell)
    assert [(item.file, item.line) for item in seen[:2]] == [("In [4]", 9), ("In [4]", 8)]
    message = summary("syntax", seen)
    assert message.splitlines() == [
        "build syntax: In [4]:9:2: error: expected expression before '{' token",
        '    9 |         pr_info("%d\\n", x);',
        "      |         ^~~~~~~",
        "hint: look at the marked place and at the end of the line above: often a ; or a bracket is missing there",
        "and 1 more error; the first often causes the others",
    ]


def test_a_quote_that_is_never_closed_is_named_first() -> None:
    source, output = case("unterm")
    message = summary("unterm", parse(output, source))
    assert message.startswith('build unterm: unterm.c:6:10: warning: missing terminating " character')


def test_a_diagnostic_gives_the_fields_that_json_promises() -> None:
    fields = first_error("printf").to_dict()
    assert {"file", "line", "column", "severity", "message", "option", "source"} <= set(fields)
    assert fields["option"] == "-Wimplicit-function-declaration"
    assert Diagnostic(**fields) == first_error("printf")  # type: ignore[arg-type]


def test_the_text_of_a_source_does_not_pass_for_a_tools_words() -> None:
    source = ModuleSource.from_text("x", "int x;\n")
    quoted = '    3 | pr_err("hello.c:1:2: error: not one");\n      | ^\n'
    assert parse(quoted, source) == ()


OTHERS = [
    ("/build/x.o: warning: objtool: f() falls through to next function g()", "objtool", "warning", "x.c"),
    ("WARNING: modpost: missing MODULE_DESCRIPTION() in x.o", "modpost", "warning", "x.c"),
    ("cc1: error: unrecognized command-line option '-Wno-such'", "gcc", "error", "x.c"),
    ("gcc-12: error: unrecognized command-line option '-fno-such'", "gcc", "error", "x.c"),
    ("x86_64-linux-gnu-gcc-14: error: unrecognized command-line option '-fno-such'", "gcc", "error", "x.c"),
    ("ERROR: modpost: something that nobody has seen yet", "modpost", "error", "x.c"),
    ("/build/Kbuild:3: *** commands commence before first target.  Stop.", "make", "error", "Kbuild"),
    ("ld: /build/x.o: file not recognized: file format not recognized", "ld", "error", "x.c"),
]


@pytest.mark.parametrize(("line", "tool", "severity", "file"), OTHERS)
def test_what_other_tools_say_is_recognised(line: str, tool: str, severity: str, file: str) -> None:
    (found,) = parse(line, ModuleSource.from_text("x", "int x;\n"))
    assert (found.tool, found.severity, found.file) == (tool, severity, file)


@given(st.text(alphabet="x.c:1234 error:warning:\n|^~[-W]'/build*emk ", max_size=300))
def test_no_output_upsets_the_parser(text: str) -> None:
    for item in parse(text, ModuleSource.from_text("x", "int x;\n")):
        assert str(item)


def test_cut_output_still_gives_what_it_holds() -> None:
    for name, *_ in ERRORS:
        source, output = case(name)
        for end in range(0, len(output), 97):
            parse(output[:end], source)
