# SPDX-License-Identifier: MIT
"""The pictures: what they say, that the numbers are the records', and that nothing overlaps or is cut off."""

from __future__ import annotations

import base64
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.transforms import Bbox

from kmodlab import plot
from kmodlab.errors import UsageError
from kmodlab.records import DependencyGraph, LoadedModule, MemorySnapshot, ModuleFile, Section
from kmodlab.records.elf import Export
from tests.unit.captured import data, guest_files, loaded_modules, module_files, snapshot
from tests.unit.pictures import drawn, figure_of, nothing_overlaps


def real_graph() -> DependencyGraph:
    return DependencyGraph.from_rows(loaded_modules(), module_files(), None, data("modules.softdep"))


def made_graph(count: int) -> DependencyGraph:
    """Return a graph of so many modules with long names and many symbols, each leaning on up to three others."""
    names = [f"module_{number:02d}" + "_long" * (number % 3) for number in range(count)]
    needs = {
        n: [names[i] for i in sorted({number // 3, number // 4, number // 7}) if i < number]
        for number, n in enumerate(names)
    }
    needs[names[0]] = []
    files, rows = {}, []
    for number, name in enumerate(names):
        exports = tuple(Export(f"{name}_symbol_{index}", True) for index in range(number % 5 + 1))
        imports = tuple(f"{other}_symbol_{index}" for other in needs[name] for index in range(5))
        files[name] = ModuleFile(name, (Section(".text", 4096, "text"),), imports, exports, ())
        holders = tuple(user for user in names if name in needs[user])
        rows.append(LoadedModule(name, 4096 * (number + 1), len(holders), holders, "Live", "OE" if number % 4 else ""))
    return DependencyGraph.from_rows(rows, files)


PICTURES: dict[str, Callable[[], Axes]] = {
    "one module": lambda: plot.memory(snapshot("many"), modules="anatomy"),
    "some modules": lambda: plot.memory(snapshot("many"), modules=["anatomy", "leaner", "btrfs", "xor"], theme="dark"),
    "all modules": lambda: plot.memory(snapshot("many")),
    "before and after": lambda: plot.memory(snapshot("many"), before=snapshot("before")),
    "without files": lambda: plot.memory(MemorySnapshot.from_files(guest_files("memory-many.txt"))),
    "change": lambda: plot.memory_change(snapshot("before"), snapshot("many")),
    "no change": lambda: plot.memory_change(snapshot("many"), snapshot("many"), theme="dark"),
    "a pair": lambda: plot.dependencies(real_graph(), modules="anatomy"),
    "btrfs": lambda: plot.dependencies(real_graph(), modules="btrfs", theme="dark"),
    "libcrc32c": lambda: plot.dependencies(real_graph(), modules="libcrc32c"),
    "40 loaded": lambda: plot.dependencies(real_graph()),
    "40 rows": lambda: plot.dependencies(loaded_modules()),
    "2 made": lambda: plot.dependencies(made_graph(2)),
    "5 made": lambda: plot.dependencies(made_graph(5)),
    "12 made": lambda: plot.dependencies(made_graph(12)),
    "25 made": lambda: plot.dependencies(made_graph(25)),
    "60 made": lambda: plot.dependencies(made_graph(60)),
    "25 on one": lambda: plot.dependencies(star(25)),
}


def star(count: int) -> list[LoadedModule]:
    """Return so many modules that all lean on one."""
    users = tuple(f"user_of_it_{number}" for number in range(count))
    return [LoadedModule("common", 16384, count, users, "Live"), *(LoadedModule(n, 8192, 0, (), "Live") for n in users)]


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_overlaps_another_or_is_cut_off(name: str) -> None:
    nothing_overlaps(PICTURES[name]())


@pytest.mark.parametrize(
    "name", [name for name, make in PICTURES.items() if "dependencies" in str(make.__code__.co_names)]
)
def test_boxes_hold_their_text_and_no_line_runs_through_a_box_or_a_label(name: str) -> None:
    ax = PICTURES[name]()
    drawn(ax)
    frames = [
        patch.get_path().get_extents(patch.get_transform()) for patch in ax.patches if isinstance(patch, FancyBboxPatch)
    ]
    for first, second in itertools.combinations(frames, 2):
        assert Bbox.intersection(first, second) is None
    canvas = FigureCanvasAgg(figure_of(ax))
    labels = [text.get_window_extent(canvas.get_renderer()) for text in ax.texts]
    for box in labels:
        inside = [frame for frame in frames if frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.overlaps(box)]
        assert inside or not any(frame.overlaps(box) for frame in frames)
    solid = np.array([box.padded(-2).extents for box in [*frames, *labels]])
    for line in (patch for patch in ax.patches if isinstance(patch, PathPatch)):
        (points,) = line.get_path().transformed(line.get_transform()).to_polygons(closed_only=False)
        steps = np.linspace(0, 1, 5)[:, None, None]
        spots = (points[:-1] + (points[1:] - points[:-1]) * steps).reshape(-1, 1, 2)
        within = (spots > solid[None, :, :2]) & (spots < solid[None, :, 2:])
        assert not within.all(axis=2).any(), name


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_title_alternative_and_table(name: str) -> None:
    ax = PICTURES[name]()
    assert isinstance(ax, Axes)
    title = ax.get_title().replace("\n", " ")
    assert len(title) > 10
    assert title in plot.alt_text(ax)
    assert plot.alt_text(ax) in figure_of(ax).kmodlab_alt  # type: ignore[attr-defined]
    assert plot.table(ax)
    assert 7 <= figure_of(ax).get_figwidth() <= 8.5
    if ax.axison:
        assert re.search(r"memory in (bytes|kB|MiB)", ax.get_xlabel())


def test_the_bars_are_the_numbers_of_the_records() -> None:
    ax = plot.memory(snapshot("many"), modules="anatomy")
    row = snapshot("many").modules.named("anatomy")
    widths = [patch.get_width() * 1024 for patch in ax.patches if isinstance(patch, Rectangle)]
    assert widths == pytest.approx([row.text, row.rodata, row.data, row.bss, row.overhead, row.init_freed])
    assert ax.get_title() == "anatomy keeps 44 kB; 2.2 kB of init code and data was freed"
    freed = ax.patches[-1]
    assert freed.get_hatch()
    assert plot.table(ax).to_dicts()[0]["bss"] == row.bss


def test_a_bigger_array_makes_a_longer_bar() -> None:
    files = module_files()
    plain = plot.table(plot.memory(MemorySnapshot.from_files(guest_files("memory-many.txt"), files)))
    more = (*files["anatomy"].sections, Section(".bss.more", 1024, "bss"))
    files["anatomy"] = replace(files["anatomy"], sections=more)
    bigger = plot.table(plot.memory(MemorySnapshot.from_files(guest_files("memory-many.txt"), files)))
    assert bigger.named("anatomy").bss == plain.named("anatomy").bss + 1024


def test_many_modules_are_shown_with_the_rest_in_one_bar_that_adds_up() -> None:
    rows = plot.table(plot.memory(snapshot("many")))
    assert "smaller ones" in rows[-1].name
    assert sum(row.size for row in rows) == snapshot("many").modules_size
    assert [row.size for row in rows[:-1]] == sorted((row.size for row in rows[:-1]), reverse=True)


def test_a_module_whose_file_is_unknown_is_not_painted_as_a_kind() -> None:
    ax = plot.memory(MemorySnapshot.from_files(guest_files("memory-many.txt")), modules="anatomy")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["kind not known"]


def test_before_draws_what_came_and_a_second_panel() -> None:
    ax = plot.memory(snapshot("many"), before=snapshot("before"))
    assert {row.name for row in plot.table(ax)} >= {"btrfs", "anatomy"}
    assert not {row.name for row in plot.table(ax)} & {row.name for row in snapshot("before").modules}
    _, lower = figure_of(ax).axes
    assert plot.table(lower).named("slab").change == snapshot("many").slab - snapshot("before").slab
    assert "slab +6.4 MiB" in plot.show(ax).alt


def test_the_graph_shows_names_sizes_refcounts_and_symbols() -> None:
    ax = plot.dependencies(real_graph(), modules="btrfs")
    words = "\n".join(text.get_text() for text in ax.texts)
    for wanted in ("btrfs", "1.7 MiB · refcount 0", "raid6_pq", "xor_blocks", "zstd_end_stream\n+2"):
        assert wanted in words
    assert ax.get_title() == "btrfs leans on 4 modules through 11 symbols"
    assert {(row.user, row.provider) for row in plot.table(ax)} >= {("btrfs", "xor"), ("btrfs", "libcrc32c")}


@pytest.mark.parametrize("name", ["btrfs", "40 loaded", "25 made", "60 made"])
def test_users_stand_above_what_they_lean_on(name: str) -> None:
    ax = PICTURES[name]()
    heights = {text.get_text(): -text.get_position()[1] for text in ax.texts}
    assert len(plot.table(ax)) > 3
    for edge in plot.table(ax).where(soft=False):
        assert heights[edge.user] > heights[edge.provider]


def test_one_more_exported_symbol_stands_on_the_arrow() -> None:
    files = module_files()
    files["anatomy"] = replace(files["anatomy"], exports=(*files["anatomy"].exports, Export("anatomy_more", True)))
    files["leaner"] = replace(files["leaner"], imports=(*files["leaner"].imports, "anatomy_more"))
    ax = plot.dependencies(DependencyGraph.from_rows(loaded_modules(), files), modules="leaner")
    assert any("anatomy_more" in text.get_text() for text in ax.texts)
    assert "through 3 symbols" in ax.get_title()


def test_rows_of_lsmod_are_enough() -> None:
    ax = plot.dependencies(loaded_modules(), modules=["leaner", "anatomy"])
    assert ax.get_title() == "leaner leans on anatomy"
    assert plot.dependencies([]).get_title()
    assert (
        plot.memory(snapshot("many"), modules=["leaner", "crc16"]).get_title().startswith("2 modules keep 16 kB each")
    )
    assert plot.dependencies(loaded_modules()[:1]).get_title()


def test_what_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="nothere"):
        plot.memory(snapshot("many"), modules="nothere")
    with pytest.raises(UsageError, match="nothere"):
        plot.dependencies(loaded_modules(), modules="nothere")
    with pytest.raises(UsageError, match="blue"):
        plot.memory(snapshot("many"), theme="blue")  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [lambda ax: plot.memory(snapshot("many"), modules="xor", ax=ax),
                                  lambda ax: plot.memory_change(snapshot("before"), snapshot("many"), ax=ax),
                                  lambda ax: plot.dependencies(real_graph(), modules="btrfs", ax=ax)])  # fmt: skip
def test_drawing_into_axes_of_ones_own(make: Callable[[Axes], Axes]) -> None:
    figure = Figure(figsize=(6, 4))
    ax = figure.add_subplot()
    assert make(ax) is ax
    assert ax.get_title()
    assert plot.alt_text(ax)
    with pytest.raises(UsageError):
        plot.memory(snapshot("many"), before=snapshot("before"), ax=ax)


def test_a_picture_for_a_notebook_has_an_img_with_the_alternative_text() -> None:
    ax = plot.memory(snapshot("many"), modules="anatomy")
    bundle = ax._repr_mimebundle_()  # type: ignore[attr-defined]
    assert bundle["text/plain"] == plot.show(ax).alt == plot.alt_text(ax)
    assert f'alt="{plot.alt_text(ax)}"' in bundle["text/html"]
    png = base64.b64decode(bundle["image/png"])
    assert png.startswith(b"\x89PNG")
    assert bundle["image/png"] in bundle["text/html"]
    assert set(plot.show(ax)._repr_mimebundle_(include={"text/html"})) == {"text/html"}


def test_ipython_shows_bare_axes_as_the_picture_once() -> None:
    from IPython.core.formatters import DisplayFormatter

    ax = plot.dependencies(real_graph(), modules="anatomy")
    shown, _ = DisplayFormatter().format(ax)
    assert set(shown) == {"text/plain", "text/html", "image/png"}
    assert shown["text/html"].startswith('<img alt="Graph of module dependencies. leaner leans on anatomy')


def test_themes_differ_in_their_page_and_leave_matplotlib_alone() -> None:
    before = dict(matplotlib.rcParams)
    light = plot.dependencies(loaded_modules(), modules="xor")
    dark = plot.dependencies(loaded_modules(), modules="xor", theme="dark")
    assert dict(matplotlib.rcParams) == before
    assert figure_of(light).get_facecolor() != figure_of(dark).get_facecolor()
    plot.set_theme("dark")
    try:
        assert figure_of(plot.dependencies(loaded_modules())).get_facecolor() == figure_of(dark).get_facecolor()
    finally:
        plot.set_theme("light")


def _luminance(colour: str) -> float:
    channels = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
                for channel in matplotlib.colors.to_rgb(colour)]  # fmt: skip
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast_on_what_it_stands(theme: str) -> None:
    from kmodlab.plot.theme import DARK, LIGHT

    style = {"light": LIGHT, "dark": DARK}[theme]
    for ink, paper in itertools.product((style.ink, style.quiet), (style.page, style.box, style.own)):
        high, low = sorted((_luminance(ink), _luminance(paper)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


def test_pyplot_is_never_loaded() -> None:
    """Figures that pyplot knows would be drawn a second time by a notebook."""
    code = (
        "import sys, kmodlab.plot as p; from kmodlab.records import LoadedModule as M;"
        "p.dependencies([M('a', 1, 0, (), 'Live')]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_records_load_without_matplotlib_or_elftools() -> None:
    code = (
        "import sys, kmodlab.records as r; r.Rows, r.parse_modules, r.read_module, r.MemorySnapshot, r.DependencyGraph;"
        "sys.exit(any(name in sys.modules for name in ('matplotlib', 'elftools', 'networkx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
