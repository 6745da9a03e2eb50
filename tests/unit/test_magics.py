# SPDX-License-Identifier: MIT
"""The magics in a real IPython session, as far as they need no machine: reading of lines, help, completion, looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import CapturedIO

import kmodlab.jupyter
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.errors import CompileError, ModuleLoadError, UsageError
from kmodlab.jupyter import display, verbs
from kmodlab.jupyter.arguments import split_parameters
from kmodlab.jupyter.completion import complete
from kmodlab.jupyter.display import DIAGNOSTICS, view_of
from kmodlab.jupyter.lab import Lab
from kmodlab.jupyter.results import kernel_log
from kmodlab.records.kmsg import KmsgRecord, parse_console
from kmodlab.records.places import linked
from kmodlab.records.table import Rows

Cell = Callable[[str], tuple[ExecutionResult, CapturedIO]]

BAD_C = Diagnostic(
    "In[3]", 4, 9, "error", "'x' undeclared <here>", source="return x & 1;", caret="       ^", hint="declare x"
)


def test_the_extension_is_loaded_once_and_can_be_taken_away(shell: InteractiveShell) -> None:
    assert shell.run_cell("%load_ext kmodlab").success
    lab = kmodlab.jupyter.load(shell)
    assert kmodlab.jupyter.load(shell) is lab
    assert set(verbs.ALL) <= set(shell.magics_manager.magics["line"])
    kmodlab.jupyter.unload_ipython_extension(shell)
    assert not set(verbs.ALL) & set(shell.magics_manager.magics["line"])
    assert not set(verbs.ALL) & set(shell.magics_manager.magics["cell"])


@pytest.mark.parametrize("verb", verbs.ALL)
def test_every_magic_explains_itself(verb: str, cell: Cell, shell: InteractiveShell) -> None:
    result, captured = cell(f"%{verb} -h")
    assert result.success, result.error_in_exec
    for flag in verbs.ALL[verb].flags:
        assert flag in captured.stdout
    assert "example:" in captured.stdout
    assert shell.find_line_magic(verb).__doc__ == verbs.ALL[verb].format_help()


@pytest.mark.parametrize("text", ["%%kmod -h", "%%kmod --help hello", "%%guest -h", "%%program -h"])
def test_help_needs_no_body(text: str, cell: Cell) -> None:
    result, captured = cell(text)
    assert result.success
    assert captured.stdout.startswith("usage: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%%kmod", "the module has no name"),
        ("%%kmod hello", "holds no C"),
        ("%%kmod hello\n   \n", "holds no C"),
        ("%kmod hello", "there is no C"),
        ("%%kmod my module\nint x;", "holds a space"),
        ("%%kmod ../../etc/passwd\nint x;", "a name is no path"),
        ("%%kmod int\nint x;", "word of the C language"),
        ("%%kmod größe\nint x;", "outside ASCII"),
        ("%%kmod hello n=1\nint x;", "add --load"),
        ("%%kmod hello --laod\nint x;", "did you mean --load?"),
        ("%%kmod hello --load n=1 n=2\nint x;", "n is given twice"),
        ("%%kmod hello --kernel\nint x;", "expected one argument"),
        ("%insmod", "which module?"),
        ("%insmod helo", "did you mean hello?"),
        ("%insmod hello whom = you", "parameters read NAME=VALUE"),
        ("%insmod hello whom='you", "close the quotation mark"),
        ("%insmod nowhere/at/all.c", "No such file or directory (ENOENT)"),
        ("%rmmod", "which module?"),
        ("%dmesg --level warnin", "did you mean warning?"),
        ("%dmesg -n many", "invalid int value"),
        ("%dmesg 5", "'5' is one word too many"),
        ("%guest", "nothing to run"),
        ("%%guest ls\nls", "write the shell lines below it"),
        ("%guest --timeout soon ls", "invalid float value"),
        ("%%program", "there is no C"),
        ("%program greet", "there is no C"),
        ("%%program\nint x;", "write one, such as %%program greet"),
        ("%%program a b\nint x;", "2 names"),
        ("%%program ../x\nint x;", "not a plain file name"),
        ("%%program x --headers scribbel\nint x;", "did you mean scribble?"),
        ("%vm rest", "did you mean reset?"),
        ("%vm kernel", "name one release"),
        ("%vm reset now", "it takes no further word"),
    ],
)
def test_what_cannot_be_meant_fails_the_cell_with_one_sentence(text: str, words: str, cell: Cell) -> None:
    result, captured = cell(text)
    assert isinstance(result.error_in_exec, UsageError), result
    assert words in str(result.error_in_exec)
    assert len(str(result.error_in_exec).splitlines()) == 1
    assert "Traceback" not in captured.stdout + captured.stderr
    assert captured.stdout.strip() == f"UsageError: {result.error_in_exec}"


def test_parameters_keep_their_spaces_and_signs() -> None:
    given = verbs.ALL["insmod"].read("hello whom='all of you' -e times=-1 list=1,2")
    assert given is not None
    assert given.expect_error
    assert split_parameters("%insmod", given.words) == (
        ["hello"],
        {"whom": "all of you", "times": "-1", "list": "1,2"},
    )


def test_a_shell_line_reaches_the_guest_as_it_stands() -> None:
    given, rest = verbs.ALL["guest"].read_front("--timeout 2.5 -e  ls -l --color=never  | awk '{print $1}'")
    assert given is not None
    assert (given.timeout, given.expect_error) == (2.5, True)
    assert rest == "ls -l --color=never  | awk '{print $1}'"
    given, rest = verbs.ALL["guest"].read_front("-- --version")
    assert given is not None
    assert rest == "--version"


def test_a_python_variable_can_stand_in_a_line_but_not_in_a_shell_line(cell: Cell, shell: InteractiveShell) -> None:
    shell.user_ns["name"] = "nonesuch"
    result, _ = cell("%insmod $name")
    assert "%insmod nonesuch:" in str(result.error_in_exec)
    assert getattr(shell.find_line_magic("guest"), "_ipython_magic_no_var_expand", False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%ins", None),
        ("x = 3 %", None),
        ("%insmod hell", ("hell", ["hello"])),
        ("rows = %insmod hell", ("hell", ["hello"])),
        ("%insmod hello w", ("w", ["whom="])),
        ("%insmod hello ", ("", ["times=", "whom="])),
        ("%%kmod x --l", ("--l", ["--load"])),
        ("%dmesg --level e", ("e", ["emergency", "error"])),
        ("%vm re", ("re", ["reset", "resume"])),
        ("%rmmod ", ("", [])),
        ("%%guest --t", ("--t", ["--timeout"])),
    ],
)
def test_what_is_offered(line: str, expected: tuple[str, list[str]] | None, lab: Lab) -> None:
    assert complete(lab, line) == expected


def test_completion_in_ipython_itself(shell: InteractiveShell, lab: Lab) -> None:
    text = "import kmodlab\n%insmod hello wh"
    with provisionalcompleter():
        offered = [(one.text, one.start) for one in shell.Completer.completions(text, len(text))]
    assert offered == [("whom=", len(text) - 2)]


def test_a_name_found_nowhere_is_an_error_and_nothing_is_remembered(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="build it with %%kmod"):
        lab.find("%insmod", "qqqq")
    assert lab.modules == {}
    (tmp_path / "x.ko").touch()
    assert lab.find("%insmod", str(tmp_path / "x.ko")) == tmp_path / "x.ko"


def test_a_compile_error_is_shown_on_the_cells_own_lines_and_escaped(cell: Cell, shell: InteractiveShell) -> None:
    error = CompileError("build x: In[3]:4:9: error: 'x' undeclared\n   4 | return x;", diagnostics=[BAD_C])
    shell.user_ns["error"] = error
    result, captured = cell("raise error")
    assert result.error_in_exec is error
    (shown,) = captured.outputs
    html = shown.data["text/html"]
    assert '<a href="#In[3]:4:9">In[3]:4:9</a>' in html
    assert "&lt;here&gt;" in html
    assert "<here>" not in html
    assert "return x &amp; 1;\n      |        ^" in html
    assert "hint: declare x" in html
    assert "return x & 1;" in shown.data["text/plain"]
    said = {"line": 4, "column": 9, "severity": "error", "message": "'x' undeclared <here>", "hint": "declare x"}
    assert shown.data[DIAGNOSTICS] == [said]
    # The message itself is one line, since the rest of it stands above.
    assert captured.stdout.strip() == "CompileError: build x: In[3]:4:9: error: 'x' undeclared"


def test_what_is_said_of_a_header_or_of_no_line_marks_no_line_of_the_cell() -> None:
    elsewhere = Diagnostic("include/linux/slab.h", 4, 9, "error", "not here")
    nowhere = Diagnostic("In[3]", None, None, "error", "no licence", tool="modpost")
    view = view_of(CompileError("build x: no", diagnostics=[elsewhere, nowhere]))
    assert "not here" in view.html
    assert view.marks == ()
    assert DIAGNOSTICS not in view._repr_mimebundle_()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("at In[12]:3 in f", 'at <a href="#In[12]:3">In[12]:3</a> in f'),
        ("In[1]:2:3: error", '<a href="#In[1]:2:3">In[1]:2:3</a>: error'),
        ("hello.c:3 and In[4] and xIn[4]:5", "hello.c:3 and In[4] and xIn[4]:5"),
    ],
)
def test_places_in_cells_are_links(text: str, html: str) -> None:
    assert linked(text) == html
    assert html in Rows([text])._repr_html_()


def test_an_error_brings_the_kernels_words_and_a_plain_cell_too(cell: Cell, shell: InteractiveShell) -> None:
    records = [KmsgRecord(3, 0, 1.5, f"x: line {number}") for number in range(100)]
    shell.user_ns["error"] = ModuleLoadError("insmod x.ko: no", module="x", errno=22, records=records)
    _, captured = cell("raise error")
    (shown,) = captured.outputs
    assert "its last 60 lines" in shown.data["text/html"]
    assert "x: line 99" in shown.data["text/plain"]
    assert "x: line 39" not in shown.data["text/plain"]
    assert captured.stdout.strip() == "ModuleLoadError: insmod x.ko: no"


def test_other_errors_keep_their_traceback(cell: Cell) -> None:
    _, captured = cell("1 / 0")
    assert "ZeroDivisionError" in captured.stdout
    assert "Traceback" in captured.stdout


def test_a_log_line_and_a_table_say_the_same_in_text(shell: InteractiveShell, lab: Lab) -> None:
    log = parse_console("<6>[    1.000000] a <b>\n")
    data, _ = shell.display_formatter.format(kernel_log(tuple(log)))
    assert "a &lt;b&gt;" in data["text/html"]
    assert "a <b>" in data["text/plain"]
    data, _ = shell.display_formatter.format(log[0])
    assert data["text/plain"] == "[    1.000000] a <b>"


def test_views_join_and_unknown_things_are_refused() -> None:
    both = display.note("one") + display.note("two")
    assert both.text == "one\ntwo"
    assert both.html.count("role=") == 2
    with pytest.raises(TypeError):
        display.view_of(3)
