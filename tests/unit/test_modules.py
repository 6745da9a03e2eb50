# SPDX-License-Identifier: MIT
"""``/proc/modules``, the taint mask and the tables they are shown in."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from kmodlab.errors import RecordParseError
from kmodlab.records import LoadedModule, Rows, Taint, format_bytes, parse_modules, parse_taint
from tests.unit.captured import data, loaded_modules


def test_captured_rows() -> None:
    rows = loaded_modules()
    assert len(rows) == 40
    assert rows.named("anatomy") == LoadedModule(
        "anatomy", 45056, 1, ("leaner",), "Live", "OE", rows.named("anatomy").address
    )
    assert rows.named("libcrc32c").holders == ("nf_tables", "nf_nat", "nf_conntrack", "btrfs")
    assert rows.named("btrfs").holders == ()


def test_a_module_whose_init_oopsed_is_still_loading() -> None:
    row = parse_modules(data("modules-loading.txt"))[0]
    assert (row.name, row.state, row.refcount, row.taints) == ("anatomy", "Loading", 1, "OE")


def test_odd_rows() -> None:
    rows = parse_modules(
        "a 4096 - - Live 0x0000000000000000\nb 1 2 [permanent], Live 0x0\nc 1 -1 - Unloading 0x1 (OE-)\n"
    )
    assert (rows[0].refcount, rows[0].address) == (None, None)
    assert (rows[1].permanent, rows[1].holders) == (True, ())
    assert (rows[2].refcount, rows[2].state, rows[2].taints) == (-1, "Unloading", "OE")
    assert parse_modules("") == ()


@pytest.mark.parametrize("text", ["hello", "hello x 0 - Live 0x0", "hello 1 0 - Live zz", "\x00\x00"])
def test_what_is_not_that_file_is_refused(text: str) -> None:
    with pytest.raises(RecordParseError, match="/proc/modules") as caught:
        parse_modules(text)
    assert caught.value.text == text


def test_a_table_as_text_is_aligned_and_shows_sizes_for_people() -> None:
    lines = str(loaded_modules().filter(lambda row: row.name in ("btrfs", "xor"))).splitlines()
    assert lines[0] == "Loaded modules"
    assert lines[1].split() == ["module", "size", "refcount", "used", "by", "state", "taints"]
    assert "1.7 MiB" in lines[3]
    assert lines[4].index("Live") == lines[3].index("Live")
    assert repr(loaded_modules()) == str(loaded_modules())


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_table_as_html_has_caption_scopes_and_exact_bytes() -> None:
    rows = loaded_modules()
    html = rows._repr_html_()
    reader = _Cells()
    reader.feed(html)
    scopes = [attrs.get("scope") for tag, attrs in reader.tags if tag == "th"]
    assert scopes == ["col"] * 6 + ["row"] * len(rows)
    assert [tag for tag, _ in reader.tags].count("caption") == 1
    assert "1,806,336 bytes" in html
    assert "var(--jp-border-color2, " in html
    assert not re.search(r"(?<![-\w])color:\s*#", html), "a fixed text colour is unreadable on one of the two themes"


@dataclass(frozen=True)
class _Loud:
    name: str
    value: int


def test_html_is_escaped_everywhere() -> None:
    html = Rows([_Loud('<script>alert("x")</script>', 1)], caption="<i>a & b</i>")._repr_html_()
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;i&gt;a &amp; b&lt;/i&gt;" in html


def test_slices_filters_and_copies_stay_tables() -> None:
    rows = loaded_modules()
    assert isinstance(rows[1:3], Rows)
    assert rows[1:3].caption == "Loaded modules"
    assert rows[-1] is tuple(rows)[-1]
    assert [row.name for row in rows.where(state="Live", refcount=3)] == ["nf_conntrack", "x_tables"]
    assert rows.where(name="none").columns == rows.columns
    assert "no rows" in str(rows[:0])
    assert "no rows" in rows[:0]._repr_html_()
    assert copy.deepcopy(rows) == rows
    assert copy.copy(rows).caption == rows.caption
    with pytest.raises(KeyError, match="squashfs"):
        rows.named("none")


def test_to_dicts_has_exact_values() -> None:
    row = loaded_modules().where(name="btrfs").to_dicts()[0]
    assert row["size"] == 1806336
    assert set(row) == {"name", "size", "refcount", "holders", "state", "taints", "address", "permanent"}
    assert Rows([1, "two"]).to_dicts() == [{"value": 1}, {"value": "two"}]


def test_a_very_long_table_leaves_out_its_middle_and_says_so() -> None:
    rows = Rows([_Loud(f"row{number}", number) for number in range(1000)])
    for shown in (str(rows), rows._repr_html_()):
        assert "600 rows not shown" in shown
        assert "row0" in shown
        assert "row999" in shown
        assert "row500" not in shown
    assert len(rows.to_dicts()) == 1000


def test_control_characters_do_not_break_the_text_table() -> None:
    assert len(str(Rows([_Loud("two\nlines\x1b[2J", 1)])).splitlines()) == 3


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 kB"),
        (14541, "14.2 kB"),
        (1048575, "1 MiB"),
        (1806336, "1.7 MiB"),
        (-8 * 1024, "-8 kB"),
        (5 << 30, "5 GiB"),
        (9000 << 30, "9000 GiB"),
    ],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_taint_in_letters_names_and_sentences() -> None:
    taint = parse_taint("12416\n")
    assert taint.letters == "DOE"
    assert taint.names == ("die", "out-of-tree", "unsigned-module")
    assert "warn" not in taint
    assert "D" in taint
    assert taint.beyond_expected == Taint(128)
    assert taint - parse_taint("12288") == Taint(128)
    assert "cannot be trusted" not in str(Taint(12288))
    assert not Taint(0)
    assert str(Taint(0)) == "not tainted"
    assert len(taint.flags) == 3
    assert "bit-40" in Taint(1 << 40).names
    with pytest.raises(RecordParseError):
        parse_taint("many")


def test_letters_agree_with_what_the_kernel_printed() -> None:
    console = data("console-oops.log")
    printed = re.search(r"Tainted: G ([A-Z ]+?) +6\.1", console)
    assert printed
    assert printed[1].split() == ["OE"]
    assert Taint((1 << 12) | (1 << 13)).letters == "OE"
