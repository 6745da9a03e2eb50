# SPDX-License-Identifier: MIT
"""What is measured for the pictures of modules, and the gallery that shows them all."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import kmodlab
from kmodlab import plot
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.course.exhibits import ROOMS
from kmodlab.course.gallery import Shown, open_gallery
from kmodlab.errors import CommandError, MachineError, UsageError
from kmodlab.machine.ledger import watch
from kmodlab.machine.lives import LifeTrace
from tests.unit.pictures import nothing_overlaps

pytestmark = pytest.mark.machine


def test_functions_places_and_lives_of_a_module(
    machine: kmodlab.Machine, lab_module: Callable[[str], ModuleArtifact]
) -> None:
    scribble = lab_module("scribble")
    lives = LifeTrace(machine)
    with pytest.raises(UsageError, match="not loaded"):
        machine.functions("scribble", "true")
    machine.insmod(scribble)
    found = machine.functions("scribble", "for i in 1 2 3; do echo $i >> /dev/scribble; done; cat /dev/scribble")
    calls = {row.name: row.calls for row in found.functions}
    assert (calls["scribble_open"], calls["scribble_write"], calls["set_length"]) == (4, 3, 3)
    assert found.unfinished == found.lost == 0
    assert all(0 < call.own_us <= call.us < 10e6 for call in found.calls)
    # Nothing stays behind, not even after a command that fails; and who traces already is left alone.
    with pytest.raises(CommandError):
        machine.functions("scribble", "cat /dev/scribble; false")
    tracing = "/sys/kernel/tracing"
    left = machine.check(f"cat {tracing}/current_tracer {tracing}/set_ftrace_filter {tracing}/tracing_on").stdout
    assert left.split("\n") == ["nop", "#### all functions enabled ####", "1", ""]
    machine.check(f"echo function > {tracing}/current_tracer")
    with pytest.raises(MachineError, match="function is in use"):
        machine.functions("scribble", "true")
    machine.check(f"echo nop > {tracing}/current_tracer")

    space = machine.address_space()
    home, (own,) = space.area("modules"), space.modules.where(module="scribble")
    assert home is not None
    assert home.start <= own.start < home.end
    assert machine.lsmod().named("scribble").address == own.start
    parts = machine.anatomy(scribble)
    assert parts.file.memory == scribble.file.memory
    assert "mutex_unlock" in {row.name for row in parts.relocations if row.imported}
    assert machine.anatomy("btrfs").size > parts.size

    machine.check("exec 3< /dev/scribble")
    machine.rmmod("scribble")
    (life,) = lives.lives.where(module="scribble")
    assert life.most == 2  # an open file counts for the device and for its operations
    assert life.uses[-1][1] == 0
    assert lives.since < life.asked < life.gone < lives.uptime  # type: ignore[operator]


def test_lines_of_what_was_freed_are_known_too(
    machine: kmodlab.Machine, lab_module: Callable[[str], ModuleArtifact]
) -> None:
    dripper = lab_module("dripper")
    with watch(machine, dripper) as watched:
        machine.insmod(dripper)
        machine.rmmod("dripper")
    source = dripper.source.files["dripper.c"].decode().splitlines()
    label, box = watched.ledger.lines
    assert (label.objects, label.left, box.left) == (16, 16 * 900, 0)
    assert "label = kzalloc" in source[int(label.name.rpartition(":")[2]) - 1]
    assert "box = kzalloc" in source[int(box.name.rpartition(":")[2]) - 1]
    nothing_overlaps(plot.allocations(watched.ledger))


class Page(HTMLParser):
    """What a page holds: its images, links, headings, radio buttons, and texts of details."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags.append(tag)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        if tag == "img":
            self.images.append(found)
        self.links += [found[name] or "" for name in ("href", "src") if name in found]


def check_page(page: Path, shown: list[Shown]) -> None:
    text = page.read_text()
    parsed = Page(text)
    assert len(parsed.images) == 2 * len(shown)  # light and dark
    assert all(len(image["alt"] or "") > 40 for image in parsed.images)
    # Nothing is fetched, and every link leads to a place on the page.
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in parsed.links)
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= parsed.ids
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert parsed.tags.count("details") == 2 * len(shown) + sum(one.exhibit.prepare != "" for one in shown)
    for one in shown:
        assert one.exhibit.draw.replace('"', "&quot;") in text
        assert one.tables
        for picture in one.pictures.values():
            for width in (1.0, 0.5):
                nothing_overlaps(picture.figure.axes[0], width)


def test_the_gallery_shows_real_pictures_in_light_and_dark(frozen: KernelBuild, tmp_path: Path) -> None:
    names = ("memory", "address-space", "dependencies", "anatomy", "calls", "latencies")
    told: list[str] = []
    page, shown = open_gallery(tmp_path, names, watch=lambda one: told.append(one.exhibit.name))
    assert page == tmp_path / "gallery.html"
    assert sorted(told) == sorted(names)
    check_page(page, shown)
    with pytest.raises(UsageError, match="nothere"):
        open_gallery(tmp_path, ["nothere"])


@pytest.mark.slow
def test_the_whole_gallery(frozen: KernelBuild, tmp_path: Path) -> None:
    page, shown = open_gallery(tmp_path)
    assert len(shown) == sum(len(exhibits) for _, exhibits in ROOMS) >= 20
    check_page(page, shown)
    drawn = {match for one in shown for match in re.findall(r"plot\.(\w+)\(", one.exhibit.draw)}
    # Every kind of picture is there; memory_change is the lower half of memory(before=).
    kinds = {name for name in plot.__all__ if name[0].islower()}
    assert drawn == kinds - {"alt_text", "memory_change", "set_theme", "show", "table"}
