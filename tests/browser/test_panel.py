# SPDX-License-Identifier: MIT
"""The panel in JupyterLab: each control does what it says, a reload loses nothing, the keyboard is enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.axe import violations
from tests.browser.browser_lab import JupyterLab
from tests.browser.serve import HEIGHT, WIDTH, new_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.machine, pytest.mark.build]

START = "%load_ext kmodlab\nimport kmodlab\nvm = kmodlab.Machine().start()\nkmodlab.panel()"

AT_THE_END = """() => {
    const log = document.querySelector(".kmodlab-panel .lines");
    return log.scrollTop + log.clientHeight >= log.scrollHeight - 1;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One page for all these tests: what they change they do not rely on."""
    with new_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def jupyter(page: Page, running: str, checkout: Path) -> Iterator[JupyterLab]:
    """A notebook that shows the panel, and whose second cell, when it is run, keeps the Jupyter kernel busy."""
    lab = JupyterLab(page, running, checkout)
    lab.open(lab.write("panel.ipynb", START, "vm.run('sleep 20')"))
    lab.run_cell(0)
    yield lab
    lab.close()


@pytest.fixture
def panel(jupyter: JupyterLab, page: Page) -> Locator:
    """The panel of a fresh machine."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    panel = page.get_by_role("region", name="Panel of the machine")
    panel.get_by_role("tab", name="Command line").click()
    panel.get_by_label("Level").select_option("All levels")
    button(panel, "Fresh machine").click()
    button(panel, "Fresh machine").and_(page.locator(":not([aria-busy])")).wait_for()
    return panel


def button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name, exact=True)


def enter(panel: Locator, line: str) -> None:
    command = panel.get_by_label("Command in the machine")
    command.fill(line)
    command.press("Enter")


def run(panel: Locator, line: str) -> Locator:
    """Run a line in the guest; return what it printed."""
    enter(panel, line)
    entry = panel.locator(".entry", has=panel.page.get_by_text(line, exact=True)).last
    entry.and_(panel.page.locator("[aria-busy=false]")).wait_for()
    return entry


def build(panel: Locator, name: str) -> None:
    panel.get_by_label("A module that comes with the lab").select_option(name)
    button(panel, "Build").click()
    button(panel, f"Load {name}").wait_for()


def test_modules_and_the_log(panel: Locator, shot: Callable[..., Path]) -> None:
    log = panel.get_by_role("log", name="Kernel log")
    loaded = panel.get_by_role("region", name="Loaded modules")
    build(panel, "scribble")
    panel.get_by_role("form", name="scribble").get_by_label("size").fill("4096")
    button(panel, "Load scribble").click()
    row = loaded.get_by_role("row", name=re.compile("^scribble "))
    row.wait_for()
    log.get_by_text("/dev/scribble holds 4096 bytes").wait_for()

    enter(panel, "echo $$ >holder; exec sleep 1000 </dev/scribble")
    row.get_by_role("cell", name="2", exact=True).wait_for()
    panel.get_by_role("img", name="Refcounts of your modules: now scribble 2").wait_for()
    shot("loaded", ".kmodlab-panel")
    button(panel, "Unload scribble").click()
    panel.locator(".said[data-ok=false]", has_text="ModuleUnloadError").wait_for()
    run(panel, "kill $(cat holder)")
    row.get_by_role("cell", name="0", exact=True).wait_for()
    button(panel, "Unload scribble").click()
    panel.get_by_role("status").get_by_text("scribble is unloaded.").wait_for()
    row.wait_for(state="detached")
    panel.get_by_text("scribble gone", exact=True).wait_for()

    shown = log.locator(".line")
    assert shown.count() > 2
    panel.get_by_label("Only lines with this text").fill("VERIFICATION")
    texts = shown.locator(".text").all_text_contents()
    assert texts and all("verification" in text for text in texts)
    panel.get_by_label("Only lines with this text").fill("")
    panel.get_by_label("Level").select_option("warning or worse")
    assert shown.locator(".level").all_text_contents() == ["warning"]
    button(panel, "Clear").click()
    panel.get_by_text("0 lines", exact=True).wait_for()


def test_the_machine_and_its_shells(panel: Locator, page: Page, shot: Callable[..., Path]) -> None:
    button(panel, "Pause").click()
    panel.get_by_text("Paused", exact=True).wait_for()
    button(panel, "Resume").click()
    panel.get_by_text("Running", exact=True).wait_for()

    assert "exit status 3" in run(panel, "echo out; echo err >&2; exit 3").inner_text()
    run(panel, "echo second")
    command = panel.get_by_label("Command in the machine")
    for key, line in [
        ("ArrowUp", "echo second"),
        ("ArrowUp", "echo out; echo err >&2; exit 3"),
        ("ArrowDown", "echo second"),
    ]:
        command.press(key)
        assert command.input_value() == line

    panel.get_by_role("tab", name="Terminal").click()
    button(panel, "Open a terminal").click()
    screen = panel.locator(".xterm-rows")
    screen.get_by_text("#").first.wait_for()
    page.keyboard.type("ls --color /; echo $((6*7)); was=$(stty size)\n")
    screen.get_by_text("42", exact=True).wait_for()
    page.keyboard.type('while [ "$was" = "$(stty size)" ]; do sleep .1; done; echo resiz\'ed\'\n')
    page.set_viewport_size({"width": 1000, "height": 1000})
    panel.locator(".screen").scroll_into_view_if_needed()  # what is out of sight is not drawn
    screen.get_by_text("resized", exact=True).wait_for()
    shot("terminal", ".kmodlab-panel")

    button(panel, "NMI").click()
    panel.get_by_text("Lost", exact=True).wait_for()
    panel.get_by_role("log", name="Kernel log").get_by_text("Kernel panic - not syncing: NMI").wait_for()
    button(panel, "Open a terminal").wait_for()
    panel.locator(".hint").get_by_text("The machine has ended, and the shell with it.").wait_for()
    page.wait_for_function(AT_THE_END)
    page.set_viewport_size({"width": 700, "height": 1000})
    page.wait_for_function(AT_THE_END)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    shot("lost", ".kmodlab-panel")
    button(panel, "Fresh machine").click()
    panel.get_by_text("Running", exact=True).wait_for()
    panel.get_by_role("log", name="Kernel log").get_by_text("A fresh machine").last.wait_for()


def test_it_lives_while_a_cell_runs_and_a_reload_loses_nothing(
    panel: Locator, jupyter: JupyterLab, page: Page, shot: Callable[..., Path]
) -> None:
    jupyter.run_cell(1)
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    assert "while busy" in run(panel, "echo while busy; echo '<4>a line for the log' >/dev/kmsg").inner_text()
    panel.get_by_role("log", name="Kernel log").get_by_text("a line for the log").wait_for()
    assert jupyter.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:", "the cell still runs"
    button(panel, "Fresh machine").click()
    jupyter.wait_until_run()
    assert len(jupyter.errors()) == 1, "its machine has gone"
    panel.get_by_role("tab", name="Terminal").click()
    button(panel, "Open a terminal").click()
    panel.locator(".xterm-rows").get_by_text("#").first.wait_for()
    page.keyboard.type("echo $((6*7))\n")
    panel.locator(".xterm-rows").get_by_text("42", exact=True).wait_for()

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    jupyter.reload()
    panel.get_by_text("Running", exact=True).wait_for()
    panel.get_by_text("while busy", exact=True).wait_for()
    panel.get_by_role("log", name="Kernel log").get_by_text("a line for the log").wait_for()
    command = panel.get_by_label("Command in the machine")
    command.press("ArrowUp")
    assert command.input_value().startswith("echo while busy")
    assert "again" in run(panel, "echo again").inner_text()
    panel.get_by_role("tab", name="Terminal").click()
    panel.locator(".xterm-rows").get_by_text("42", exact=True).wait_for()
    button(panel, "Close the terminal").wait_for()


def test_the_keyboard_is_enough_and_everybody_can_read_it(
    panel: Locator, jupyter: JupyterLab, page: Page, shot: Callable[..., Path]
) -> None:
    build(panel, "hello")
    for theme in ("light", "dark"):
        jupyter.theme(theme)
        assert violations(page, ".kmodlab-panel") == []
        shot(theme, ".kmodlab-panel")
    button(panel, "Fresh machine").focus()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("() => document.activeElement.ariaLabel || document.activeElement.innerText || ''")
        )
        if "Load hello" in reached[-1]:
            page.keyboard.press("Enter")
            button(panel, "Unload hello").wait_for()
        if reached[-1] == "Command line":
            break
    assert [
        name
        for name in ("Pause", "NMI", "Load hello", "Build", "Level", "Clear", "Command line")
        if name not in reached
    ] == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    button(panel, "Close the terminal").wait_for()
    panel.locator(".xterm-helper-textarea").and_(page.locator(":focus")).wait_for()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("() => document.activeElement.innerText") == "Close the terminal"
    page.keyboard.press("Enter")
    button(panel, "Open a terminal").wait_for()
    assert violations(page, ".kmodlab-panel") == []
    assert jupyter.cell(0).count() == 1, "no key was a command of JupyterLab's"


def test_it_ends_with_the_jupyter_kernel(panel: Locator, page: Page) -> None:
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    panel.get_by_text("Ended", exact=True).wait_for()
    panel.get_by_text("run the cell again").wait_for()
