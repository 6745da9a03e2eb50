# SPDX-License-Identifier: MIT
"""The pictures of the lesson on memory: the tree of module files, what is held over time, what an object costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kmodlab import plot
from kmodlab.errors import RecordParseError, UsageError
from kmodlab.records import LoadedModule, Rows
from kmodlab.records.costs import parse_costs
from kmodlab.records.ledger import Ledger, Total
from kmodlab.records.tree import parse_tree
from tests.unit.pictures import figure_of, nothing_overlaps

TREE = """23121 kernel/arch/x86/crypto/aegis128-aesni.ko
3800000 kernel/fs/btrfs/btrfs.ko.xz
150000 kernel/fs/fat/vfat.ko
90000 kernel/drivers/net/virtio_net.ko
700000 kernel/drivers/net/ethernet/intel/e1000/e1000.ko
4000000 kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko
12000 kernel/drivers/virtio/virtio.ko
5000 extra/hello.ko
"""
LOADED = [LoadedModule(name, 16384, 0, (), "Live") for name in ("virtio_net", "virtio", "not_of_the_tree")]
COSTS = """kmalloc 24 32 500
kmalloc 600 1024 900
kmalloc 5000 8192 4000
cache 24 24 300
cache 600 630 800
cache 5000 5461 3000
vmalloc 24 4240 9000
vmalloc 600 4240 9000
vmalloc 5000 8336 9900
"""


def ledger(cycles: int, size: int, kept: int) -> Ledger:
    """A ledger of so many rounds, in each of which so much is taken and all but a part given back."""
    points, now, left = [], 100.0, 0
    for _ in range(cycles):
        for step in range(1, 5):
            points.append(Total(now := now + 0.01, left + size * step // 4, step))
        for step in range(3, -1, -1):
            points.append(Total(now := now + 0.02, left + kept + (size - kept) * step // 4, step))
        left += kept
    return Ledger(("dripper",), Rows(()), allocations=4 * cycles, frees=3 * cycles, timeline=tuple(points))


PICTURES: dict[str, Callable[[], Axes]] = {
    "tree": lambda: plot.module_tree(TREE, LOADED),
    "large tree": lambda: plot.module_tree(
        "\n".join(f"{9**6 - 20000 * n} kernel/drivers/folder_{n}/module_{n}.ko" for n in range(26)),
        LOADED,
        theme="dark",
    ),
    "a leak": lambda: plot.held({"dripper": ledger(6, 64000, 14400), "dripper_mended": ledger(6, 64000, 0)}),
    "one ledger": lambda: plot.held({"dripper": ledger(3, 3000, 900)}, theme="dark"),
    "nothing happened": lambda: plot.held({"quiet": Ledger((), Rows(()))}),
    "costs": lambda: plot.allocation_costs(COSTS),
    "costs of one": lambda: plot.allocation_costs(parse_costs(COSTS).where(how="cache"), theme="dark"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_overlaps_another_or_is_cut_off(name: str) -> None:
    nothing_overlaps(PICTURES[name]())


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_title_unit_and_alternative(name: str) -> None:
    ax = PICTURES[name]()
    title = ax.get_title().replace("\n", " ")
    assert len(title) > 10
    assert title in plot.alt_text(ax)
    assert plot.alt_text(ax) in figure_of(ax).kmodlab_alt  # type: ignore[attr-defined]
    assert plot.table(ax) or name == "nothing happened"
    words = [text for one in figure_of(ax).axes for text in (one.get_xlabel(), one.get_ylabel())]
    assert any("memory in" in text or "held, " in text for text in words)


def test_the_tree_counts_what_is_loaded() -> None:
    ax = plot.module_tree(TREE, LOADED)
    rows = plot.table(ax)
    assert [row.name for row in rows] == ["drivers/gpu", "fs", "drivers/net", "arch", "drivers/virtio", "extra"]
    assert (rows.named("drivers/net").modules, rows.named("drivers/net").size) == (2, 790000)
    assert (rows.named("drivers/net").loaded, rows.named("drivers/net").loaded_size) == (1, 90000)
    assert ax.get_title().replace("\n", " ") == "2 of 8 modules are loaded; 99.6 kB of 8.4 MiB, 1.2 %"


def test_a_large_tree_adds_up() -> None:
    lines = [f"{5000 + n} kernel/drivers/folder_{n}/module_{n}.ko" for n in range(40)]
    shown = [text.get_text() for text in plot.module_tree("\n".join(lines), []).texts]
    assert len(shown) == 15
    assert shown[-1].endswith("none of 26")


def test_what_is_left_stands_in_the_title() -> None:
    leaking, mended = ledger(6, 64000, 14400), ledger(6, 64000, 0)
    ax = plot.held({"dripper": leaking, "dripper_mended": mended})
    wanted = "Loaded and unloaded again and again: dripper leaves 84.4 kB, dripper_mended leaves nothing"
    assert ax.get_title().replace("\n", " ") == wanted
    first, second = figure_of(ax).axes
    assert first.get_ylim() == second.get_ylim()
    steps = first.lines[0].get_ydata()
    assert max(steps) * 1024 == pytest.approx(max(point.bytes for point in leaking.timeline))
    assert len(plot.table(second)) == len(mended.timeline)


def test_the_costs_are_the_numbers_of_the_records() -> None:
    ax = plot.allocation_costs(COSTS)
    assert ax.get_title().replace("\n", " ") == (
        "An object of 600 B takes 1 kB from kmalloc, 630 B from cache, 4.1 kB from vmalloc"
    )
    lines = {tuple(line.get_ydata()) for line in ax.lines}
    assert {(32, 1024, 8192), (24, 630, 5461), (4240, 4240, 8336)} <= lines
    assert plot.table(ax).where(how="cache", size=600)[0].ns == 800


@pytest.mark.parametrize(
    "make", [lambda ax: plot.module_tree(TREE, LOADED, ax=ax), lambda ax: plot.allocation_costs(COSTS, ax=ax)]
)
def test_drawing_into_axes_of_ones_own(make: Callable[[Axes], Axes]) -> None:
    ax = Figure(figsize=(6, 4)).add_subplot()
    assert make(ax) is ax
    assert ax.get_title()


def test_what_is_not_of_the_form_is_refused() -> None:
    with pytest.raises(RecordParseError, match="many bytes"):
        parse_tree("many bytes.ko")
    with pytest.raises(RecordParseError, match="kmalloc"):
        parse_costs("kmalloc 600 lots 3")
    with pytest.raises(UsageError):
        plot.allocation_costs("")
    with pytest.raises(UsageError):
        plot.held({})
