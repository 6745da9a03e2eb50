# SPDX-License-Identifier: MIT
"""Lives of modules from captured traces, and their picture; pictures of rates and of an ioctl's number."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from kmodlab import plot
from kmodlab.errors import UsageError
from kmodlab.records.ioctl import ioctl_fields
from kmodlab.records.lives import parse_lives
from tests.unit.pictures import nothing_overlaps

TRACES = Path(__file__).parents[1] / "data" / "lives"


def trace(release: str) -> str:
    return (TRACES / f"trace-{release}.txt").read_text()


def test_lives_of_one_module() -> None:
    rows = parse_lives(trace("6.1"))
    assert [life.module for life in rows] == ["hello"] * 4
    assert [life.refused for life in rows] == [False, False, True, False]
    first, refused = rows[0], rows[2]
    assert (first.asked, first.begun, first.ready) == (11.051453, 11.203697, 11.221011)
    assert (first.leaving, first.gone) == (11.460265, 11.461168)
    assert (first.load, first.init, first.live, first.exit) == (152.244, 17.314, 0.239, 0.903)
    assert (refused.returned, refused.live, refused.exit, refused.gone) == (-22, None, None, 11.875226)


def test_modules_that_stay_and_one_without_an_init_function() -> None:
    rows = {life.module: life for life in parse_lives(trace("6.12"))}
    assert {"btrfs", "xor", "raid6_pq", "hello"} <= set(rows)
    assert rows["btrfs"].gone is None
    assert rows["btrfs"].live is None
    bare = parse_lives(
        "  modprobe-9 [001] ..... 5.5: sys_finit_module(fd: 3)\n  modprobe-9 [001] ..... 5.7: module_load: x E"
    )
    assert (bare[0].asked, bare[0].ready, bare[0].init) == (5.5, 5.7, 0.0)


def test_a_damaged_trace_is_read_as_far_as_it_goes() -> None:
    text = trace("6.12")
    whole = parse_lives(text)
    dice = random.Random(7)
    for _ in range(200):
        at = dice.randrange(len(text))
        assert len(parse_lives(text[:at])) <= len(whole)
        parse_lives(text[:at] + chr(dice.randrange(256)) + text[at + dice.randrange(9) :])
    assert parse_lives("") == ()


READ = {1: 180_000.0, 64: 9.1e6, 4096: 3.3e8, 65536: 5.5e8}
PICTURES: dict[str, Callable[[], Axes]] = {
    "one module": lambda: plot.lives(trace("6.1"), 13.5),
    "many modules": lambda: plot.lives(trace("6.12"), 60.0, theme="dark"),
    "two ways": lambda: plot.rates({"read()": READ, "mmap()": {1: 1e8, 64: 5e8, 4096: 5.4e8, 65536: 5.6e8}}),
    "one way": lambda: plot.rates({"read()": READ}, theme="dark"),
    "four ways": lambda: plot.rates(dict.fromkeys(("one", "two", "three", "four"), READ)),
    "a command": lambda: plot.ioctl_number(0x8004B701, "SCRIBBLE_GET_LENGTH"),
    "no argument": lambda: plot.ioctl_number(0x4403, theme="dark"),
    "both ways": lambda: plot.ioctl_number(0xFFFFFFFF, "A_RATHER_LONG_NAME_OF_A_COMMAND"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_overlaps_another_or_is_cut_off(name: str) -> None:
    nothing_overlaps(PICTURES[name]())


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_its_finding_its_words_and_its_table(name: str) -> None:
    ax = PICTURES[name]()
    title = ax.get_title().replace("\n", " ") or ax.get_title(loc="left")
    assert title
    assert title in plot.alt_text(ax)
    assert len(plot.table(ax)) > 0
    assert plot.show(ax).alt in plot.show(ax).html().replace("&#x27;", "'")


def test_the_titles_say_what_is_to_be_seen() -> None:
    assert plot.alt_text(PICTURES["one module"]()).startswith(
        "Timeline. hello was loaded 4 times; the kernel ran on all the while, 14 s since its only boot."
    )
    assert "with 64 kB at a time 3,100 times as many bytes a second as with 1 B" in plot.alt_text(PICTURES["one way"]())
    assert "0x8004b701; the program reads an answer of 4 bytes" in plot.alt_text(PICTURES["a command"]())
    assert "0x00004403: no argument" in plot.alt_text(PICTURES["no argument"]())


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="tells of no module"):
        plot.lives("", 5.0)
    for ways in (
        {},
        {"read()": {}},
        {"read()": {1: 0.0}},
        {"read()": {1: float("inf")}},
        {str(way): READ for way in range(5)},
    ):
        with pytest.raises(UsageError, match="draw rates"):
            plot.rates(ways)
    with pytest.raises(UsageError, match="32 bits"):
        plot.ioctl_number(1 << 32)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (0x8004B701, (2, 4, 0xB7, 1)),  # SCRIBBLE_GET_LENGTH
        (0x40044402, (1, 4, 0x44, 2)),  # DIAL_SET
        (0x5413, (0, 0, 0x54, 0x13)),  # TIOCGWINSZ, older than the scheme
        (0xC0145401, (3, 20, 0x54, 1)),
    ],
)
def test_the_fields_of_a_number(number: int, wanted: tuple[int, ...]) -> None:
    fields = ioctl_fields(number)
    assert tuple(field.value for field in fields) == wanted
    assert sum(field.value << field.low for field in fields) == number
