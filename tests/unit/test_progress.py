# SPDX-License-Identifier: MIT
"""What is printed while something takes long, and that nothing is while it does not."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import nbformat
import pytest

from kmodlab import progress
from kmodlab.course.execute import execute
from kmodlab.progress import Step, size_text, step

CELLS = (
    "import threading\nfrom kmodlab import progress\nprogress._DELAY, shown = 0.01, []\n"
    "class Watched(progress._Cell):\n"
    "    def _publish(self, bundle):\n        shown.append(bundle)\n        super()._publish(bundle)\n"
    "progress._Cell = Watched",
    "with progress.step('Fetching <it>', total=4e6) as now:\n    now.update(1e6)\n    threading.Event().wait(0.7)",
    "print(shown[0]['text/plain'], shown[0]['text/html'], sep='\\n')",
)

SLOW = """
import sys, threading
from kmodlab import progress
progress._DELAY = 0.01
with progress.step("Fetching it", total=4e6) as now:
    now.update(1e6)
    threading.Event().wait(0.7)  # as long as a bar takes to be drawn twice
    now.update(3e6)
"""


def test_nothing_is_printed_for_what_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Nothing", total=3) as now:
        now.update(3)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    shown = progress.threading.Event()
    monkeypatch.setattr(progress._Lines, "show", lambda self, now: (progress.say(f"{now.text} … {now}"), shown.set()))
    with step("Fetching it", total=85e6) as now:
        now.reach(12e6)
        assert shown.wait(5)
    captured = capsys.readouterr()
    assert captured.out == ""
    first, *_, last = captured.err.splitlines()
    assert first.startswith("Fetching it … ")
    assert last == "Fetching it: 0 s"


def test_an_error_inside_is_passed_on() -> None:
    with pytest.raises(KeyError), step("Failing"):
        raise KeyError


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (85_400_000, "85 MB"), (2.5e9, "2.5 GB")]
)
def test_sizes_for_people(count: float, text: str) -> None:
    assert size_text(count) == text


def test_how_far_it_is_in_words() -> None:
    now = Step("x", 85e6, "B")
    assert str(now) == "0 B of 85 MB"
    now.reach(200e6)
    assert str(now) == "85 MB of 85 MB"
    assert str(Step("x", None, "B")) == ""
    cells = Step("x", 45, "cells")
    cells.reach(38)
    assert str(cells) == "38 of 45 cells"
    percent = Step("x", 100, "%")
    percent.reach(12.3)
    assert str(percent) == "12 %"


@pytest.mark.parametrize("flags", [[], pytest.param(["-S"], marks=pytest.mark.checkout)], ids=["tqdm", "without tqdm"])
def test_a_terminal_gets_a_bar(flags: list[str]) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    with subprocess.Popen([sys.executable, *flags, "-c", SLOW], stderr=slave, stdout=subprocess.DEVNULL) as child:
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.close(master)
    assert child.returncode == 0
    assert b"Fetching it" in text
    assert b"\r" in text
    assert b"1" in text and b"4" in text


@pytest.mark.notebook
def test_a_cell_of_a_notebook_shows_nothing_of_it_at_the_end(tmp_path: Path) -> None:
    """While it runs the cell shows a bar; afterwards a page shows nothing, and plain text how long it took."""
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]  # type: ignore[no-untyped-call]
    path = tmp_path / "slow.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)  # type: ignore[no-untyped-call]
    (result,) = execute([path], tmp_path)
    assert result.ok, result.error
    assert result.executed is not None
    _, slow, said = result.executed.cells
    (left,) = [output["data"] for output in slow.outputs]
    assert left["text/html"] == ""
    assert re.fullmatch(r"Fetching <it>: \d+ s", left["text/plain"])
    words, bar = said.outputs[0]["text"].splitlines()
    assert words == "Fetching <it> … 1 MB of 4 MB, 0 s"
    assert '<progress aria-label="Fetching &lt;it&gt;" value="1e+06" max="4e+06">' in bar
