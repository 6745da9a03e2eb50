# SPDX-License-Identifier: MIT
"""What a C file of the kernel declares, the conditions it stands under, and the comments of kernel-doc."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.records.conditions import Branches, parse_config
from kmodlab.records.declarations import Declaration, scan
from kmodlab.records.kernel_doc import KernelDoc

CONFIG = parse_config("#define CONFIG_SMP 1\n#define CONFIG_BTRFS_FS_MODULE 1\n#define CONFIG_HZ 250\n")

HEADER = """\
/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_THING_H
#define _LINUX_THING_H

#include <linux/types.h>
#include "near.h"

/**
 * struct thing - one thing; and another { of them
 * @list: where it hangs
 */
struct thing {
	struct list_head list;
	union {
		int number;
		char *text;
	};
	void (*release)(struct thing *thing);
} __aligned(8);

enum thing_state {
	THING_NEW = (1 << 2),	/* fresh */
	THING_OLD,
};

typedef int (*thing_fn)(struct thing *, void *data);
typedef struct { long counter; } thing_count_t;
extern const struct thing *things[], first_thing;
extern struct list_head thing_list __read_mostly;

#define thing_for_each(pos, head)	\\
	list_for_each_entry(pos, head, list)

/* Takes a thing. */
extern void thing_get(struct thing *thing) __attribute__((nonnull(1)));
struct thing *__must_check thing_make(const char *name,
				gfp_t flags);

/**
 * thing_put() - give a thing back
 * @thing: which one; may be NULL
 */
static __always_inline __printf(1, 2) int thing_put(struct thing *thing, ...)
{
	if (thing) {
		const char *brace = "}";
		return thing->release ? '{' : 0;
	}
	return 0;
}

#ifdef CONFIG_SMP
int thing_lock(struct thing *thing);
#else
static inline int thing_lock(struct thing *thing) { return 0; }
#endif

DECLARE_PER_CPU(int, thing_counter);
MODULE_SOMETHING(x);

static inline void last(void) { }
#endif
"""


def declared(text: str, config: dict[str, str] | None = None) -> dict[str, Declaration]:
    return {one.name: one for one in scan(text, config or CONFIG)}


def test_each_kind_of_name_with_its_lines_and_its_comment() -> None:
    found = declared(HEADER)
    assert {name: (one.kind, one.line, one.end, one.doc) for name, one in found.items()} == {
        "_LINUX_THING_H": ("macro", 3, 3, 0),
        "linux/types.h": ("include", 5, 5, 0),
        "thing": ("struct", 12, 19, 8),
        "thing_state": ("enum", 21, 24, 0),
        "THING_NEW": ("enumerator", 21, 24, 0),
        "THING_OLD": ("enumerator", 21, 24, 0),
        "thing_fn": ("typedef", 26, 26, 0),
        "thing_count_t": ("typedef", 27, 27, 0),
        "first_thing": ("variable", 28, 28, 0),
        "thing_list": ("variable", 29, 29, 0),
        "thing_for_each": ("macro", 31, 32, 0),
        "thing_get": ("prototype", 35, 35, 34),
        "thing_make": ("prototype", 36, 37, 0),
        "thing_put": ("function", 43, 50, 39),
        "thing_lock": ("prototype", 53, 53, 0),
        "last": ("function", 61, 61, 0),
    }


def test_what_the_configuration_leaves_out_is_left_out() -> None:
    assert declared(HEADER)["thing_lock"].kind == "prototype"
    assert declared(HEADER, {"CONFIG_UP": "1"})["thing_lock"].kind == "function"


@given(st.text(alphabet="{}();#\"'/*\\\n\t abex=,<>", max_size=80))
def test_whatever_stands_in_a_file_it_is_read_to_its_end(text: str) -> None:
    for one in scan(text, CONFIG):
        assert 1 <= one.line <= one.end <= text.count("\n") + 1


def test_long_runs_of_words_take_no_time() -> None:
    # Patterns that can be matched in many ways make such a text take for ever.
    words = " ".join(["__attribute_a_b_c__"] * 400)
    assert (
        declared(f"int x({words}) {words} {{ }}\nextern int {words};\nstruct {words} y {{ }};\n")["x"].kind
        == "function"
    )


@pytest.mark.parametrize(
    ("condition", "active"),
    [
        ("#ifdef CONFIG_SMP", True),
        ("#ifndef CONFIG_SMP", False),
        ("#ifdef CONFIG_NUMA", False),
        ("#if IS_ENABLED(CONFIG_BTRFS_FS)", True),
        ("#if IS_BUILTIN(CONFIG_BTRFS_FS)", False),
        ("#if IS_MODULE(CONFIG_BTRFS_FS) && !defined(__ASSEMBLY__)", True),
        ("#if defined CONFIG_NUMA || (defined(CONFIG_SMP) && defined(MODULE))", True),
        ("#if defined(CONFIG_NUMA) && SOMETHING > 3", False),
        ("#if SOMETHING > 3", True),  # nobody knows
        ("#if !(", True),
        ("#if 0", False),
    ],
)
def test_conditions(condition: str, active: bool) -> None:
    word, _, rest = condition.removeprefix("#").partition(" ")
    branches = Branches(CONFIG)
    branches.directive(word, rest)
    assert branches.active is active
    branches.directive("endif", "")
    assert branches.active


def test_of_several_branches_one_is_taken() -> None:
    def taken(*words: str) -> list[bool]:
        branches = Branches(CONFIG)
        seen = []
        for line in words:
            word, _, rest = line.partition(" ")
            branches.directive(word, rest)
            seen.append(branches.active)
        return seen

    assert taken("if 0", "elif 1", "elif 1", "else") == [False, True, False, False]
    assert taken("ifdef CONFIG_NUMA", "ifdef CONFIG_SMP", "endif", "else") == [False, False, False, True]
    assert taken("if SOMETHING", "else", "endif", "endif") == [True, True, True, True]


def test_kernel_doc_says_what_for_and_with_what() -> None:
    doc = KernelDoc.parse(
        "/**\n * kmalloc_it() - allocate memory,\n *\tall of it\n * @size: how many bytes\n *   are required.\n"
        " * @flags: see :ref:`the list <gfp-flags>`\n *\n * It may <sleep>, see %GFP_KERNEL and\n * &struct page.\n"
        " *\n * Return: NULL if @size is too much for kfree()\n */"
    )
    assert doc.brief == "allocate memory, all of it"
    assert doc.parameters == (("size", "how many bytes are required."), ("flags", "see the list"))
    assert doc.text.startswith("It may <sleep>, see")
    assert "may &lt;sleep&gt;, see <code>GFP_KERNEL</code>" in doc.html()
    assert "<code>page</code>" in doc.html()
    assert "<code>kfree()</code>" in doc.html()
    assert "size: how many bytes are required." in str(doc)


def test_a_plain_comment_is_only_text() -> None:
    assert KernelDoc.parse("/* Takes a thing. */") == KernelDoc("", (), "Takes a thing.")
    assert KernelDoc.parse("/*\n * Two\n * lines\n */").text == "Two\nlines"
