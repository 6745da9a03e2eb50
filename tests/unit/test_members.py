# SPDX-License-Identifier: MIT
"""Members of structures: read out of definitions as the kernel writes them, and offered where one is being written."""

from __future__ import annotations

import pytest

from kmodlab.records.members import members, members_at

SHELF = """struct shelf {
\tint width, *deep;\t\t/* of one; board: */
\tstruct list_head boards;
#ifdef CONFIG_SHELF_LOCK
\tspinlock_t lock ____cacheline_aligned_in_smp;
#endif
\tunion {
\t\tu8 colour;
\t\tstruct {
\t\t\tu16 red, green;
\t\t};
\t};
\tstruct {
\t\tchar text[32];
\t} label;
\tunsigned int old : 1;
\tint (*open)(struct shelf *shelf, int how);
\tvoid (*doors[2])(void);
\tconst struct shelf *above;
\tstruct_group(head, u32 first; u32 second;);
\tu8 rest[] __counted_by(width);
};
"""
CODE = (
    SHELF
    + """
static int fill(struct shelf *one, const struct box __user *box)
{
\tstruct shelf other, *third;
\tchar *words = "struct box *one";
"""
)


def test_all_members_are_found_those_of_nameless_parts_too() -> None:
    found = members(SHELF)
    assert list(found) == [
        *("width", "deep", "boards", "lock", "colour", "red", "green", "label", "old", "open", "doors", "above"),
        *("first", "second", "rest"),
    ]
    assert found["open"] == "int (*open)(struct shelf *shelf, int how)"
    assert members("struct opaque;") == members("") == {}
    assert members("struct half { int a; struct { int b;") == {"a": "int a", "b": "int b"}


@pytest.mark.parametrize(
    ("written", "word", "found"),
    [
        ("one->co", "co", ["colour"]),
        ("other.bo", "bo", ["boards"]),
        ("third -> wi", "wi", ["width"]),
        ("one->above->la", "la", ["label"]),
        ("one->boards.", "", ["next", "prev"]),
        ("rows[3].above->re", "re", []),
        ("box->", "", ["lid"]),
        ("current->pi", "pi", ["pid"]),
        ("unknown->a", "a", []),
        ("static struct shelf mine = {\n\t.width = 3,\n\t.o", "o", ["old", "open"]),
        ("static struct shelf mine = { .boards = { .ne", "ne", []),
    ],
)
def test_members_are_offered_where_one_is_written(written: str, word: str, found: list[str]) -> None:
    known = {
        "list_head": "struct list_head { struct list_head *next, *prev; };",
        "box": "struct box { int lid; };",
        "task_struct": "struct task_struct { pid_t pid; };",
    }
    code = CODE + written
    at = members_at(code + "\n}\n", len(code), lambda tag: known.get(tag, ""))
    assert at is not None
    assert (at[0], list(at[1])) == (word, found)


@pytest.mark.parametrize("written", ["x = 3.", "wid", "/* one-> */ w", "one->width = fi"])
def test_elsewhere_there_is_nothing_to_offer(written: str) -> None:
    code = CODE + written
    assert members_at(code, len(code), lambda _: "") is None
