# SPDX-License-Identifier: MIT
"""What a whole tree of modules leans on, from the distribution's ``modules.dep``."""

from __future__ import annotations

import lzma

import pytest

from kmodlab.errors import RecordParseError
from kmodlab.records.foundations import parse_foundations
from tests.unit.captured import DATA

SMALL = """kernel/a.ko: kernel/b.ko kernel/c.ko.xz kernel/d-e.ko
kernel/b.ko: kernel/c.ko.xz
kernel/c.ko.xz:
kernel/d-e.ko:
"""


def whole_tree() -> str:
    return lzma.decompress((DATA / "modules.dep.whole.xz").read_bytes()).decode()


def test_users_directly_and_through_others() -> None:
    rows = parse_foundations(SMALL)
    assert {row.name: (row.layer, row.needs, row.users, row.direct) for row in rows} == {
        "c": (0, 0, 2, 1), "d_e": (0, 0, 1, 1), "b": (1, 1, 1, 1), "a": (2, 3, 0, 0),
    }  # fmt: skip
    assert [row.name for row in rows] == ["c", "b", "d_e", "a"]


def test_the_whole_tree_of_a_distribution() -> None:
    rows = parse_foundations(whole_tree())
    assert len(rows) == 4023
    assert sum(row.needs for row in rows) == sum(row.users for row in rows)
    first = rows.named("usbcore")
    assert first.users > 400
    assert 0 < first.direct < first.users
    by_name = {row.name: row for row in rows}
    assert by_name["btrfs"].layer > by_name["xor"].layer >= 0
    assert all((row.layer == 0) == (row.needs == 0) for row in rows)


@pytest.mark.parametrize("text", ["", "softdep btrfs pre: crc32c\n", "kernel/a.ko: kernel/b.ko\nno module: here\n"])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(RecordParseError, match=r"modules\.dep"):
        parse_foundations(text)
