# SPDX-License-Identifier: MIT
"""Cells of C in JupyterLab: their colours, what the compiler says at their lines, jumps, and what the headers say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.reference import ensure_reference
from tests.browser.browser_lab import JupyterLab

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.machine, pytest.mark.build]

START = "import kmodlab\n%load_ext kmodlab"
PYTHON = "def twice(n):\n    return 2 * n"
HELLO = """%%kmod hello
#include <linux/module.h>
#include <linux/slab.h>

static int __init hello_init(void)
{
\tvoid *all = kmalloc(64, GFP_KERNEL);

\tkfree(all);
\treturn 0;
}
module_init(hello_init);
MODULE_LICENSE("GPL");
"""
UNUSED = HELLO.replace("GFP_KERNEL);\n", "GFP_KERNEL);\n\tint unused;\n")
BROKEN = HELLO.replace("kfree(all)", "kfree(al)")
CRASH = HELLO.replace("kfree(all);", "*(volatile int *)NULL = 1;").replace("%%kmod hello", "%%kmod crash")
STATE = (
    "() => { const { content } = jupyterapp.shell.currentWidget; const { line, column } ="
    " content.activeCell.editor.getCursorPosition();"
    " return [content.activeCellIndex, content.mode, line + 1, column + 1]; }"
)


def place(page: Page, *expected: object) -> None:
    """Wait until the cursor stands in a cell at a line and a column, and can be typed at."""
    page.wait_for_function(f"expected => JSON.stringify(({STATE})()) === JSON.stringify(expected)", arg=list(expected))


def token(cell: Locator, text: str) -> Locator:
    """A piece of a cell's text that has a colour of its own."""
    return cell.locator(".cm-line span").get_by_text(text, exact=True).first


def edit(jupyter: JupyterLab, number: int, line: int, column: int) -> None:
    """Put the cursor into a cell."""
    jupyter.page.evaluate(
        "([number, line, column]) => { const { content } = jupyterapp.shell.currentWidget;"
        " content.activeCellIndex = number; content.mode = 'edit'; const { editor } = content.activeCell;"
        " editor.focus(); editor.setCursorPosition({ line: line - 1, column: column - 1 }); }",
        [number, line, column],
    )


def source(page: Page, number: int) -> str:
    text: str = page.evaluate(
        "number => jupyterapp.shell.currentWidget.content.widgets[number].model.sharedModel.getSource()", number
    )
    return text


@pytest.fixture(scope="module")
def index(kernel: KernelBuild) -> None:
    """What the kernel's headers declare; the set-up makes it."""
    ensure_reference(kernel, kmodlab.settings().cache)


def test_c_has_colours_and_tabs_and_python_keeps_its_own(
    jupyter: JupyterLab, page: Page, shot: Callable[..., Path]
) -> None:
    jupyter.open(
        jupyter.write("colours.ipynb", PYTHON, HELLO, "%%program greet\nint main(void) { return 0; }", "%%kmod t\n")
    )
    python, hello, program, empty = map(jupyter.cell, range(4))
    keyword = token(python, "def").get_attribute("class")
    token(hello, "static").wait_for()
    assert token(hello, "static").get_attribute("class") == keyword
    assert token(program, "return").get_attribute("class") == keyword
    assert token(hello, "%%kmod hello").get_attribute("class") != keyword
    assert token(hello, "hello_init").get_attribute("class") == token(python, "twice").get_attribute("class")
    for theme in ("light", "dark"):
        jupyter.theme(theme)
        shot(theme)

    edit(jupyter, 3, 2, 1)
    page.keyboard.type("int f(int n)\n{\nswitch (n) {\ncase 1:\nbreak;\n}")
    assert source(page, 3) == "%%kmod t\nint f(int n)\n{\n\tswitch (n) {\n\tcase 1:\n\t\tbreak;\n\t}"
    token(empty, "switch").wait_for()

    # Whether it is C is decided by the line that is being typed.
    edit(jupyter, 0, 1, 1)
    page.keyboard.type("%%kmod twice\n")
    token(python, "%%kmod twice").wait_for()
    assert token(python, "return").get_attribute("class") == keyword
    assert token(python, "def").get_attribute("class") != keyword
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Delete")
    token(python, "def").wait_for()
    assert source(page, 0) == PYTHON


def test_what_the_compiler_says_is_marked_and_led_to(
    jupyter: JupyterLab, page: Page, shot: Callable[..., Path]
) -> None:
    jupyter.open(jupyter.write("marks.ipynb", START, UNUSED, CRASH, "%insmod --expect-error crash", BROKEN))
    jupyter.run_all()
    warned, broken = jupyter.cell(1), jupyter.cell(4)
    warning = warned.get_by_title("warning: unused variable 'unused'")
    warning.wait_for()
    assert warned.locator(".kmodlab-mark-warning").inner_text() == "unused"
    error = broken.get_by_title("error: 'al' undeclared")
    error.wait_for()
    assert broken.locator(".kmodlab-mark-error").first.inner_text() == "al"
    line = broken.locator(".cm-line", has_text="kfree").bounding_box()
    sign = error.bounding_box()
    assert line and sign
    assert line["y"] - 2 < sign["y"] + sign["height"] / 2 < line["y"] + line["height"] + 2
    for theme in ("light", "dark"):
        jupyter.theme(theme)
        shot(theme)

    broken.locator(".jp-OutputArea").get_by_role("link", name="In[5]:9:8").click()
    place(page, 4, "edit", 9, 8)
    warned.locator(".jp-OutputArea").get_by_role("link", name="In[2]:8:6").focus()
    page.keyboard.press("Enter")
    place(page, 1, "edit", 8, 6)
    # The trace of an oops that a later cell caused leads to the cell that the module is from.
    jupyter.cell(3).locator(".jp-OutputArea").get_by_role("link", name="In[3]:9").first.click()
    place(page, 2, "edit", 9, 1)

    # The mark moves along with its text, and goes when the cell has run without it.
    edit(jupyter, 4, 9, 8)
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type("l")
    assert "kfree(all);" in source(page, 4)
    jupyter.command("notebook:run-cell")
    broken.get_by_text("built hello.ko").wait_for()
    error.wait_for(state="detached")

    # They are data of the notebook, which are there again when it is opened.
    jupyter.command("docmanager:save")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    jupyter.reload()
    jupyter.cell(1).get_by_title("warning: unused variable 'unused'").wait_for()


@pytest.mark.usefixtures("index")
def test_what_the_headers_say_of_a_name(jupyter: JupyterLab, page: Page, shot: Callable[..., Path]) -> None:
    jupyter.open(jupyter.write("names.ipynb", START, HELLO, "%ksource kmalloc"))
    jupyter.run_all()
    shown = jupyter.cell(2).locator(".jp-OutputArea")
    shown.get_by_text("include/linux/slab.h:").first.wait_for()
    token_class = shown.locator(".highlight span", has_text="static").first.get_attribute("class")
    assert token_class and token_class.startswith("k")

    hello = jupyter.cell(1)
    hello.scroll_into_view_if_needed()
    for theme in ("light", "dark"):
        jupyter.theme(theme)
        page.mouse.move(0, 0)
        # The name shares its line with others, so the pointer goes to where its letters are.
        page.mouse.move(*_middle(hello, "kmalloc"))
        hover = page.locator(".kmodlab-hover")
        hover.get_by_text(re.compile("^allocate (kernel )?memory$")).wait_for()
        assert re.search(r"void \*kmalloc(_noprof)?\(size_t size, gfp_t flags\);", hover.inner_text())
        shot(theme)
        page.mouse.move(0, 0)
        hover.wait_for(state="detached")

    edit(jupyter, 1, 9, 4)
    page.keyboard.press("Shift+Tab")
    page.locator(".jp-Tooltip").get_by_text("void kfree(const void *objp);").wait_for()
    page.keyboard.press("Escape")

    edit(jupyter, 1, 9, 13)
    page.keyboard.press("End")
    page.keyboard.type("\nkmalloc_ar")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer-item", has_text="kmalloc_array").first.wait_for()
    shot("completion")


def _middle(cell: Locator, word: str) -> tuple[float, float]:
    """The middle of a word of a cell on the page."""
    found: list[float] = cell.evaluate(
        "(cell, word) => { const texts = document.createTreeWalker(cell.querySelector('.cm-content'), 4);"
        " while (texts.nextNode()) { const at = texts.currentNode.textContent.indexOf(word); if (at >= 0) {"
        " const range = document.createRange(); range.setStart(texts.currentNode, at);"
        " range.setEnd(texts.currentNode, at + word.length); const box = range.getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; } } }",
        word,
    )
    return found[0], found[1]
