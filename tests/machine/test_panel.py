# SPDX-License-Identifier: MIT
"""The panel's side of Python with a real machine: what it tells a page, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.jupyter.lab import Lab
from kmodlab.jupyter.panel.controller import Controller
from kmodlab.jupyter.panel.subject import Subject
from kmodlab.jupyter.panel.widget import panel_of

pytestmark = pytest.mark.machine

LIMIT = 30


class Page:
    """What a page has been told, and a way to wait for more."""

    def __init__(self, subject: Subject) -> None:
        self.told: list[dict[str, Any]] = []
        self.screen = b""
        self._news = threading.Condition()
        self.controller = Controller(subject, self._take, lambda: ({}, []))

    def _take(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        with self._news:
            self.told.append(message)
            self.screen += b"".join(buffers)
            self._news.notify_all()

    def until(self, test: Callable[[], Any]) -> Any:
        with self._news:
            found = self._news.wait_for(test, LIMIT)
        assert found, self.told[-5:]
        return found

    def last(self, see: str) -> dict[str, Any]:
        return next((message for message in reversed(self.told) if message["see"] == see), {})

    def lines(self) -> list[str]:
        return [line[2] for message in self.told if message["see"] == "log" for line in message["lines"]]

    def say(self, do: str, **more: object) -> None:
        self.controller.receive({"do": do, "page": "one", **more})


@pytest.fixture
def page(frozen: KernelBuild, lab: Lab) -> Iterator[Page]:
    with kmodlab.Machine(frozen) as vm:
        page = Page(Subject(lab, vm))
        page.say("alive", again=True)
        page.until(lambda: page.last("modules").get("rows"))
        yield page
        page.controller.close()


def test_it_follows_only_while_somebody_looks(page: Page) -> None:
    follower = next(thread for thread in threading.enumerate() if thread.name == "kmodlab-panel")
    page.say("away")
    follower.join(LIMIT)
    assert not follower.is_alive()
    count = len(page.told)
    page.say("alive")
    page.until(lambda: any(message["see"] == "samples" and message["again"] for message in page.told[count:]))
    page.controller.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("kmodlab-panel")] == []


def test_it_survives_a_killed_qemu_a_panic_and_a_reset(page: Page) -> None:
    vm = page.controller.feed.subject.machine()
    assert vm.pid
    os.kill(vm.pid, signal.SIGKILL)
    page.until(lambda: page.last("machine")["state"] == "lost")
    assert "QEMU was killed" in page.last("machine")["reason"]
    page.say("fresh")
    page.until(lambda: page.last("machine")["state"] == "running")
    page.say("run", line="echo c >/proc/sysrq-trigger")
    page.until(lambda: page.last("machine")["state"] == "lost")
    assert page.last("machine")["reason"] == "the kernel panicked"
    page.until(lambda: any("Kernel panic" in line for line in page.lines()))
    vm.reset()
    page.until(lambda: page.last("machine")["state"] == "running" and page.last("modules")["rows"])
    assert page.lines().count("A fresh machine") == 2


def test_a_kernel_that_runs_on_after_a_fault_is_not_shown_as_a_sound_one(page: Page) -> None:
    assert page.last("machine")["reason"] == ""
    page.say("run", line="echo 512 >/proc/sys/kernel/tainted")
    page.until(lambda: page.last("machine")["taints"] == "W")
    assert "WARN" in page.last("machine")["reason"]
    page.say("run", line="echo 128 >/proc/sys/kernel/tainted")
    page.until(lambda: page.last("machine")["taints"] == "DW")
    assert "died" in page.last("machine")["reason"]
    assert page.last("machine")["taint_words"].count("\n") == 1


def test_a_terminal_is_typed_into_and_ends_with_its_machine(page: Page) -> None:
    page.say("open", lines=24, columns=80)
    page.until(lambda: b"#" in page.screen)
    page.say("type", text="echo $((6*7)); stty size\n")
    page.until(lambda: b"42\r\n24 80" in page.screen)
    page.say("size", lines=30, columns=100)
    page.say("type", text="until stty size | grep '30 1'00; do sleep .1; done\n")
    page.until(lambda: b"30 100" in page.screen)
    vm = page.controller.feed.subject.machine()
    vm.reset()
    page.until(lambda: page.last("terminal")["state"] == "closed")
    count = len(page.told)
    page.say("alive", again=True)
    page.until(lambda: any(message["see"] == "terminal" for message in page.told[count:]))
    shown = [message for message in page.told[count:] if message["see"] in {"screen", "terminal"}]
    assert [message["see"] for message in shown] == ["screen", "terminal"], "the end stands below what it ended"
    assert shown[-1]["end"] == "The machine has ended, and the shell with it."
    vm.pause()
    page.say("open", lines=24, columns=80)
    page.until(lambda: page.last("terminal")["end"] == "There is no machine that runs.")


def test_a_flood_in_the_terminal_is_bounded(page: Page) -> None:
    page.say("open", lines=24, columns=80)
    page.until(lambda: b"#" in page.screen)
    page.say("type", text="seq 300000; echo do'ne'\n")
    page.until(lambda: b"done" in page.screen)
    assert len(page.screen) < 4 << 20
    again = len(page.screen)
    page.say("alive", again=True)
    page.until(lambda: page.last("screen")["again"])
    assert len(page.screen) - again <= 128 << 10


def test_two_lines_run_side_by_side_and_the_second_is_told_first(page: Page) -> None:
    page.say("run", line="sleep 3; echo slow")
    page.until(lambda: page.last("command"))
    page.say("run", line="echo quick; exit 5")
    done = page.until(lambda: [m for m in page.told if m["see"] == "command" and not m["running"]])
    assert (done[0]["text"], done[0]["end"]) == ("quick\n", "exit status 5")
    page.until(lambda: page.last("command").get("text") == "slow\n")


def test_where_no_code_runs_it_is_a_page(frozen: KernelBuild, lab: Lab) -> None:
    with kmodlab.Machine(frozen) as vm:
        panel = panel_of(lab, vm)
        assert panel_of(lab, vm) is panel
        vm.run("echo '<4>seen by the panel' >/dev/kmsg")
        bundle = panel._repr_mimebundle_()
        panel.close()
    output = nbformat.v4.new_output("display_data", bundle[0] if isinstance(bundle, tuple) else bundle)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("kmodlab.panel(vm)", outputs=[output])])
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert frozen.release in html and "seen by the panel" in html


def test_it_lets_a_machine_doze(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMODLAB_IDLE", "1")
    kmodlab.settings.cache_clear()
    page.say("fresh")
    page.until(lambda: page.last("machine").get("dozing"))
    page.say("run", line="echo awake")
    page.until(lambda: page.last("command").get("text") == "awake\n" and not page.last("machine")["dozing"])
    monkeypatch.undo()
    kmodlab.settings.cache_clear()
