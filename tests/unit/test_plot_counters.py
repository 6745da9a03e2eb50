# SPDX-License-Identifier: MIT
"""Lines of counters and trees of names: what they say, and that nothing overlaps or is cut off."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Bbox

from kmodlab import plot
from kmodlab.errors import UsageError
from kmodlab.plot.counters import counters
from kmodlab.plot.names import names
from tests.unit.pictures import nothing_overlaps

TREE = """100 d 4 0 /
104 f 1 40960 /poem
101 d 3 0 /letters
102 d 2 0 /letters/old
103 f 2 12 /letters/old/first one
103 f 2 12 /todo
"""
GROWTH = [{"seconds": i, "packets": i * i * 10, "polls": i * 3 + 2, "bells": i * 3} for i in range(8)]
BY_MTU = [{"mtu": mtu, "packets sent": 4e6 / mtu, "polls": 5e5 / mtu} for mtu in (9000, 500, 1500, 65535)]
SAME = [{"x": i, "one": 5.0, "two": 5.0, "three": 5.0, "four": 5.5, "five": 0, "six": 0} for i in (1, 2)]


def long_tree(count: int) -> str:
    return "1 d 2 0 /\n" + "".join(f"{i % 3 + 2} f {count // 3} 5 /name-{i:02d}\n" for i in range(count))


PICTURES: dict[str, Callable[[], Axes]] = {
    "growth": lambda: counters(GROWTH, "time, seconds", "count since the start"),
    "by mtu": lambda: counters(BY_MTU, "MTU, bytes", "packets for 4 MiB", log=True, theme="dark"),
    "all the same": lambda: counters(SAME, "round", "count"),
    "nothing": lambda: counters([{"x": 1, "y": 0}, {"x": 2, "y": 0}], "round", "packets"),
    "falling": lambda: counters(
        [{"x": 0, "y": 3, "z": 9}, {"x": 1, "y": -40, "z": -41}], "round", "kB", title="Falling " * 16
    ),
    "a tree": lambda: names(TREE),
    "a root": lambda: names("7 d 2 0 /\n", theme="dark"),
    "many names of few inodes": lambda: names(long_tree(29)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_overlaps_another_or_is_cut_off(name: str) -> None:
    nothing_overlaps(PICTURES[name]())


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_title_alternative_and_table(name: str) -> None:
    ax = PICTURES[name]()
    title = ax.get_title(loc="left") or ax.get_title()
    assert len(title) > 10
    assert title.replace("\n", " ")[:60] in plot.alt_text(ax)
    assert plot.table(ax)
    assert "alt=" in plot.show(ax).html()


def test_the_lines_are_the_samples_in_order() -> None:
    ax = counters(BY_MTU, "MTU, bytes", "packets", log=True)
    line = ax.get_lines()[0]
    assert list(line.get_xdata()) == [500, 1500, 9000, 65535]
    assert list(line.get_ydata()) == [
        8000,
        pytest.approx(4e6 / 1500),
        pytest.approx(4e6 / 9000),
        pytest.approx(4e6 / 65535),
    ]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("MTU, bytes", "packets", "log")
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["polls 7.63", "packets sent 61"]
    assert next((point.at, point.value) for point in plot.table(ax) if point.name == "polls") == (500, 1000)


def test_the_title_tells_what_grew_most_unless_it_is_given() -> None:
    assert counters(GROWTH, "s").get_title().startswith("packets from 0 to 490, polls from 2 to 23")
    assert counters(GROWTH, "s", title="One poll serves many packets").get_title() == "One poll serves many packets"


def test_no_two_lines_look_alike() -> None:
    lines = counters(SAME, "round").get_lines()
    assert len({line.get_color() for line in lines}) == len(lines) == 6
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 6


def test_two_names_of_a_file_lead_to_one_inode() -> None:
    ax = names(TREE)
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 5
    assert ax.get_title(loc="left") == "6 names lead to 5 inodes; /letters/old/first one and /todo are one file"
    assert "inode 103 · 12 B · 2 links" in [text.get_text() for text in ax.texts]
    assert [row.path for row in plot.table(ax)][:2] == ["/", "/letters"]
    extents = [box.get_path().get_extents(box.get_patch_transform()) for box in boxes]
    assert all(Bbox.intersection(one, other) is None for one, other in itertools.combinations(extents, 2))


def test_drawing_into_axes_of_ones_own() -> None:
    for make in (lambda ax: counters(GROWTH, "s", ax=ax), lambda ax: names(TREE, ax=ax)):
        ax = Figure(figsize=(6, 4)).add_subplot()
        assert make(ax) is ax
        assert ax.get_title()
        assert plot.alt_text(ax)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="two or more"):
        counters(GROWTH[:1], "s")
    with pytest.raises(UsageError, match="different names"):
        counters([{"s": 0, "a": 1}, {"s": 1, "b": 1}], "s")
    with pytest.raises(UsageError, match="0 counters"):
        counters([{"s": 0}, {"s": 1}], "s")
    with pytest.raises(UsageError, match="log=True"):
        counters(GROWTH, "s", log=True)
    with pytest.raises(UsageError, match="no line of find"):
        names("total 0\n")
    with pytest.raises(UsageError, match="0 names"):
        names("")
