# SPDX-License-Identifier: MIT
"""What the live panel costs when nothing happens, and how a flood of log lines goes through its page."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Row, row

from tests.browser.browser_lab import JupyterLab
from tests.browser.serve import chromium, copy_lab, serve

__all__ = ["panel"]

SECONDS = 60
LINES = 100_000
START = """%load_ext kmodlab
import kmodlab, os
vm = kmodlab.Machine().start()
print("pids", os.getpid(), vm.pid)
kmodlab.panel()"""
FLOOD = f"""vm.check("echo on >/proc/sys/kernel/printk_devkmsg")
vm.run("for ((i = 1; i <= {LINES}; i++)); do echo \\"<6>flood: line $i\\"; done >/dev/kmsg", timeout=300).exit_status"""
FRAMES = """() => {
    window.longest = 0;
    let before = performance.now();
    const next = now => {
        window.longest = Math.max(window.longest, now - before);
        before = now;
        requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
}"""
_TICKS = os.sysconf("SC_CLK_TCK")


def panel() -> Iterator[Row]:
    """Measure a panel in a real browser: 60 s of rest, then 100,000 lines."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        top, own = Path(folder) / "lab", Path(folder) / "own"
        top.mkdir()
        own.mkdir()
        copy_lab(top)
        with serve(top, own) as url:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            lab = JupyterLab(page, url, top)
            lab.open(lab.write("panel.ipynb", START, FLOOD))
            lab.command("notebook:run-cell-and-select-next")
            page.get_by_role("region", name="Panel of the machine").get_by_text("Running").wait_for()
            pids = [int(word) for word in page.get_by_text("pids ").last.inner_text().split()[1:]]
            yield from _rest(pids)
            yield _flood(lab)
            lab.close()


def _rest(pids: list[int]) -> Iterator[Row]:
    """The Jupyter kernel and QEMU while the panel is looked at and nothing happens, and what the browser adds."""
    time.sleep(5)  # what came up is still settling
    pages = [pid for pid in _descendants(os.getpid()) if "chromium" in _name(pid)]
    before, start = [_processor_seconds(pid) for pid in (*pids, *pages)], time.monotonic()
    time.sleep(SECONDS)
    wall = time.monotonic() - start
    after = [_processor_seconds(pid) for pid in (*pids, *pages)]
    shares = [100 * (now - was) / wall for now, was in zip(after, before, strict=True)]
    note = f"of a core over {SECONDS} s: Jupyter kernel {shares[0]:.2f}, QEMU {shares[1]:.2f}"
    yield row("panel_idle", "%", 5, [sum(shares[:2])], note=f"{note}; the browser {sum(shares[2:]):.2f}")


def _flood(lab: JupyterLab) -> Row:
    page = lab.page
    page.evaluate(FRAMES)
    page.wait_for_timeout(10_000)
    at_rest = float(page.evaluate("() => window.longest"))
    page.evaluate("() => { window.longest = 0; }")
    start = time.monotonic()
    lab.command("notebook:run-cell-and-select-next")
    page.wait_for_function(
        "last => document.querySelector('.kmodlab-panel .lines')?.lastChild?.textContent.endsWith(last)",
        arg=f"flood: line {LINES}",
        polling=1000,
        timeout=300_000,
    )
    seconds, longest = time.monotonic() - start, float(page.evaluate("() => window.longest"))
    held = page.locator(".kmodlab-panel .lines > *").count()
    note = f"longest frame; {LINES} lines in {seconds:.0f} s, {held} held"
    return row("panel_flood", "ms", 250, [longest], peer="that at rest", peer_values=[at_rest], note=note)


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from _descendants(child)


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
