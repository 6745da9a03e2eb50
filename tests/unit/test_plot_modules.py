# SPDX-License-Identifier: MIT
"""The pictures of a module itself: its file, its place, its allocations, its functions; and of a whole tree."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from PIL import Image

from kmodlab import plot
from kmodlab.errors import UsageError
from kmodlab.plot.picture import text_width
from kmodlab.records import Export, Rows, parse_modules
from kmodlab.records.anatomy import read_anatomy
from kmodlab.records.dependencies import DependencyGraph
from kmodlab.records.foundations import parse_foundations
from kmodlab.records.functions import FunctionTrace, parse_functions
from kmodlab.records.ledger import Allocation, Ledger, Total
from kmodlab.records.lives import parse_lives
from kmodlab.records.symbols import CallSite
from tests.unit.captured import data, guest_files, loaded_modules, module_bytes, module_files
from tests.unit.pictures import drawn, figure_of, nothing_overlaps
from tests.unit.test_anatomy import space
from tests.unit.test_foundations import SMALL, whole_tree
from tests.unit.test_functions import NESTED, trace

LIVES = Path(__file__).parents[1] / "data" / "lives"


def ledger(cycles: int, lines: int = 2, *, loaded: bool = False) -> Ledger:
    """In each round every line takes something; all but the first gives it back."""
    live, freed, points, held = [], [], [Total(100.0, 0, 0)], 0
    for cycle in range(cycles):
        for line in range(lines):
            at = 100 + cycle + 0.1 * line
            site = CallSite("leaky", f"leaky_function_{line}", 16 * line, file="src/leaky.c", line=40 + line)
            one = Allocation("kmalloc", 900 * (line + 1), 4096 * cycle + line, at, 1, site)
            points.append(Total(at, held := held + one.size, 1))
            if line:
                freed.append(replace(one, freed_at=at + 0.3, freed_by="kfree"))
                points.append(Total(at + 0.3, held := held - one.size, 1))
            else:
                live.append(one)
    return Ledger(
        ("leaky",), Rows(live), tuple(freed), cycles * lines, len(freed), timeline=tuple(points),
        loaded=frozenset({"leaky"} if loaded else ()),
    )  # fmt: skip


def many_functions() -> FunctionTrace:
    lines = []
    for number in range(20):
        at = number / 100
        lines.append(f" {at:.6f} |   0)    cat-7     |               |  a_function_of_some_length_{number} [m]() {{")
        lines.append(f" {at:.6f} |   0)    cat-7     |   {number + 1}.000 us    |    helper_{number % 4} [m]();")
        lines.append(f" {at:.6f} |   0)    cat-7     |   {number * 30 + 9}.000 us    |  }}")
    return parse_functions("\n".join(lines), ["m"])


def grown() -> Axes:
    before = parse_modules(guest_files("memory-before.txt")["/proc/modules"].decode())
    after = DependencyGraph.from_rows(loaded_modules(), module_files(), None, data("modules.softdep"))
    return plot.dependencies(after, before=before)


def exporting() -> Axes:
    parts = read_anatomy(module_bytes("anatomy"))
    exports = tuple(Export(f"an_exported_function_{number}", True) for number in range(30))
    return plot.anatomy(replace(parts, file=replace(parts.file, exports=exports)), theme="dark")


PICTURES: dict[str, Callable[[], Axes]] = {
    "anatomy": lambda: plot.anatomy(read_anatomy(module_bytes("anatomy"))),
    "anatomy of one that exports": exporting,
    "addresses": lambda: plot.address_space(space("6.1"), "scribble"),
    "addresses of 6.12": lambda: plot.address_space(space("6.12"), theme="dark"),
    "addresses of two": lambda: plot.address_space(space("6.1"), ["overlay", "virtio-net"]),
    "allocations": lambda: plot.allocations(ledger(4)),
    "allocations of many lines": lambda: plot.allocations(ledger(3, 9, loaded=True), theme="dark"),
    "one allocation": lambda: plot.allocations(ledger(1, 1)),
    "functions": lambda: plot.functions(parse_functions(trace("6.1"))),
    "many functions": lambda: plot.functions(many_functions(), theme="dark"),
    "calls": lambda: plot.calls(parse_functions(trace("6.12"))),
    "many calls": lambda: plot.calls(many_functions(), theme="dark"),
    "calls of itself": lambda: plot.calls(parse_functions(NESTED, ["m"])),
    "latencies": lambda: plot.latencies(parse_functions(trace("6.1"))),
    "latencies of many": lambda: plot.latencies(many_functions(), theme="dark"),
    "latencies of one call": lambda: plot.latencies({"one call": [3.0]}),
    "foundations": lambda: plot.foundations(whole_tree()),
    "a small tree": lambda: plot.foundations(SMALL, theme="dark"),
    "modprobe": grown,
    "refcounts": lambda: plot.lives(parse_lives((LIVES / "uses-6.1.txt").read_text()), 18.0, since=13.0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_overlaps_another_or_is_cut_off(name: str) -> None:
    ax = PICTURES[name]()
    nothing_overlaps(ax)
    title = ax.get_title().replace("\n", " ")
    assert len(title) > 10
    assert title in plot.alt_text(ax)
    assert plot.alt_text(ax) in figure_of(ax).kmodlab_alt  # type: ignore[attr-defined]
    assert plot.table(ax)
    assert 7 <= figure_of(ax).get_figwidth() <= 8.5


@pytest.mark.parametrize("name", ["modprobe", "calls", "many calls"])
def test_no_arrow_leaves_the_picture(name: str) -> None:
    ax = PICTURES[name]()
    drawn(ax)
    page = ax.get_window_extent()
    lines = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
    assert lines
    for line in lines:
        box = line.get_path().get_extents(line.get_transform())
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, name


def test_a_modules_sections_are_to_scale() -> None:
    parts = read_anatomy(module_bytes("anatomy"))
    ax = plot.anatomy(parts)
    widths = sorted(patch.get_width() for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch())
    bss = parts.file.memory["bss"] / sum(section.size for section in parts.file.sections)
    assert any(width == pytest.approx(558 * bss, abs=1) for width in widths)
    kept = r"Of the .* of anatomy\.ko, .* stay in the kernel; the loader writes [0-9]+ addresses into it"
    assert re.fullmatch(kept, ax.get_title().replace("\n", " "))
    _, lower = figure_of(ax).axes
    assert sum(row.places for row in plot.table(lower)) == sum(row.places for row in parts.relocations)


def test_what_a_line_holds_is_what_the_ledger_says() -> None:
    ax = plot.allocations(ledger(4))
    rows = plot.table(ax)
    assert [(row.name, row.objects, row.allocated, row.left) for row in rows] == [
        ("leaky.c:40", 4, 3600, 3600),
        ("leaky.c:41", 4, 7200, 0),
    ]
    assert ax.get_title() == "leaky.c:40 took 3.5 kB that nobody gave back"
    assert max(ax.lines[0].get_ydata()) * 1024 == 4 * 900 + 1800  # all of the leak, and one of the others on top
    assert "still" in plot.allocations(ledger(3, 9, loaded=True)).get_title()
    assert plot.allocations(replace(ledger(4), doubts=("some events were lost",))).get_title().endswith("not exact")
    kept = ledger(2, 3)
    assert plot.allocations(replace(kept, live=Rows())).get_title().startswith("leaky gave back all")


def test_new_modules_stand_out_and_refcounts_say_what_changed() -> None:
    ax = grown()
    assert "came" in ax.get_title()
    widths = {patch.get_linewidth() for patch in ax.patches if isinstance(patch, FancyBboxPatch)}
    assert 2.6 in widths
    was = [replace(row, refcount=0) if row.name == "libcrc32c" else row for row in loaded_modules()]
    words = [text.get_text() for text in plot.dependencies(loaded_modules(), before=was, modules="libcrc32c").texts]
    assert any("refcount 0 → " in text for text in words)
    same = plot.dependencies(loaded_modules(), before=loaded_modules(), modules="xor")
    assert same.get_title().startswith("No module has come")


def test_the_time_of_the_functions_adds_up() -> None:
    found = parse_functions(trace("6.1"))
    ax = plot.functions(found)
    widths = sum(patch.get_width() for patch in ax.patches if isinstance(patch, Rectangle))
    scale = 1000 if "milli" in ax.get_xlabel() else 1
    assert "first calls were lost" in plot.functions(replace(found, lost=7)).get_title()
    assert widths * scale == pytest.approx(sum(row.us for row in found.functions))


def test_every_call_is_in_its_histogram() -> None:
    found = parse_functions(trace("6.1"))
    ax = plot.latencies(found)
    for one, row in zip(figure_of(ax).axes, plot.table(ax), strict=True):
        bars = [patch for patch in one.patches if isinstance(patch, Rectangle)]
        assert sum(bar.get_height() for bar in bars) == row.calls
        assert any(bar.get_x() <= row.slowest_us <= bar.get_x() + bar.get_width() for bar in bars)


def test_the_kernel_stands_above_what_it_calls_if_there_is_room() -> None:
    words = {text.get_text(): text.get_position()[1] for text in PICTURES["calls"]().texts}
    assert words["the kernel"] < words["scribble_write"] < words["set_length"]
    assert "the kernel" not in {text.get_text() for text in PICTURES["many calls"]().texts}


def test_every_module_of_the_tree_is_a_dot() -> None:
    rows = parse_foundations(whole_tree())
    ax = plot.foundations(rows)
    dots = sum(len(collection.get_offsets()) for collection in ax.collections)
    assert dots + 12 == len(rows) == 4023
    assert "usb" in ax.get_title()


def test_refcounts_of_a_life() -> None:
    for release in ("6.1", "6.12"):
        rows = {life.module: life for life in parse_lives((LIVES / f"uses-{release}.txt").read_text())}
        # Opened twice, each of which counts for the device and for its operations; then closed.
        assert [count for _, count in rows["scribble"].uses] == [1, 2, 3, 4, 3, 2, 1, 0]
        assert [count for _, count in rows["exporter"].uses] == [1, 0]
        assert rows["hello"].most == 0
    assert "refcount up to 4" in plot.alt_text(PICTURES["refcounts"]())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot.address_space(space("6.1"), "nothere"),
        lambda: plot.allocations(Ledger(("quiet",), Rows())),
        lambda: plot.functions(parse_functions("")),
        lambda: plot.calls(parse_functions("")),
        lambda: plot.latencies({"nothing": []}),
        lambda: plot.latencies({"impossible": [1.0, 0.0]}),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], Axes]) -> None:
    with pytest.raises(UsageError):
        draw()


def test_few_colours_make_a_small_file_of_the_same_picture() -> None:
    picture = plot.show(PICTURES["allocations"]())
    whole, small = picture.png(), picture.png(colours=128)
    assert len(small) < len(whole) / 2
    before, after = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int) for png in (whole, small))
    assert before.shape == after.shape
    assert abs(before - after).mean() < 2


@pytest.mark.parametrize("text", ["scribble_write", "1.7 MiB · refcount 0 → 1", "AVAToday µs"])
def test_texts_are_as_wide_as_they_are_drawn(text: str) -> None:
    """Boxes and margins are made for them before anything is drawn."""
    canvas = FigureCanvasAgg(
        Figure(dpi=192)
    )  # at which pictures are shown; with fewer dots letters are widened to whole ones
    for size, bold in ((10.0, False), (13.5, True)):
        drawn_text = canvas.figure.text(0, 0.5, text, fontsize=size, fontweight="bold" if bold else "normal")
        width = drawn_text.get_window_extent(canvas.get_renderer()).width * 72 / 192
        # Kerning may bring letters together; that leaves a little more room than is needed.
        assert width * 0.98 - 1 <= text_width(text, size, bold=bold) <= width * 1.13 + 1
