# SPDX-License-Identifier: MIT
"""The index of a kernel's headers and of its source, and what a notebook shows of it."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter

import kmodlab
from kmodlab.build.definitions import ensure_definitions, find_definitions
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.reference import Reference, ensure_reference, find_reference
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.jupyter import verbs
from kmodlab.jupyter.completion import complete, complete_c
from kmodlab.jupyter.inspection import inspect, word_at
from kmodlab.jupyter.lab import Lab

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from IPython.utils.capture import CapturedIO

    Cell = Callable[[str], tuple[ExecutionResult, CapturedIO]]

RELEASE = "6.1.0-1-amd64"
SLAB = """\
#include <linux/types.h>
#ifdef CONFIG_RT
#include <linux/slab_rt.h>
#endif
/**
 * kmalloc - allocate <memory>
 * @size: how many bytes
 */
static inline void *kmalloc(size_t size)
{
	return __kmalloc(size);
}
void kfree(const void *all);
#define KMALLOC_MOST	\\
	(1 << 22)
"""
FILES = {
    "linux-headers-6.1.0-1-amd64/include/generated/autoconf.h": "#define CONFIG_SMP 1\n",
    "linux-headers-6.1.0-1-common/include/linux/types.h": "typedef unsigned long size_t;\n",
    "linux-headers-6.1.0-1-common/include/linux/slab.h": SLAB,
    "linux-headers-6.1.0-1-common/include/linux/slab_rt.h": "void *kmalloc(size_t size);\n",
    "linux-headers-6.1.0-1-common/include/linux/far.h": "int kmeans(void);\nint _kmalloc_far(void);\n",
    "linux-headers-6.1.0-1-common/arch/x86/include/asm/page.h": "#define PAGE_SIZE 4096\n",
    "linux-headers-6.1.0-1-common/arch/arm64/include/asm/page.h": "#define PAGE_SIZE 65536\n",
    "linux-headers-6.1.0-1-common/include/uapi/linux/ioctl.h": "#define _IO(a, b) 1\n",
}
SLAB_C = """\
static int helper(void) { return 0; }
/**
 * kfree - free memory
 * @all: what kmalloc() returned
 */
void kfree(const void *all)
{
	helper();
}
EXPORT_SYMBOL(kfree);
"""
CELL = """\
%%kmod hello --load whom=you
#include <linux/slab.h>
#include <linux/sl

static char *whom = "world";
module_param(whom, charp, 0444);
static bool loud;
module_param(loud, bool, 0444);

int f(void) { kmalloc(3); } // kma
"""


@pytest.fixture
def small(tmp_path: Path) -> KernelBuild:
    """A kernel of which there is nothing but a few headers."""
    for name, text in FILES.items():
        path = tmp_path / "usr/src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return KernelBuild(RELEASE, "x86_64", "1", tmp_path, "nowhere")


@pytest.fixture
def reference(small: KernelBuild, tmp_path: Path) -> Reference:
    return ensure_reference(small, tmp_path / "cache")


def add_source(kernel: KernelBuild) -> None:
    with tarfile.open(kernel.root / "usr/src/linux-source-6.1.tar.xz", "w:xz") as tar:
        for name, text in {"mm/slab.c": SLAB_C, "tools/slab.c": SLAB_C, "arch/arm64/mm/slab.c": SLAB_C}.items():
            facts = tarfile.TarInfo(f"linux-source-6.1/{name}")
            facts.size = len(text)
            tar.addfile(facts, io.BytesIO(text.encode()))


def test_the_index_is_made_once(small: KernelBuild, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert find_reference(small, cache) is None
    made = ensure_reference(small, cache)
    stamp = made.path.stat().st_mtime_ns
    assert ensure_reference(small, cache).path.stat().st_mtime_ns == stamp
    made.path.write_bytes(b"damaged")
    assert find_reference(small, cache) is None


def test_a_kernel_without_headers_says_so(tmp_path: Path) -> None:
    kernel = KernelBuild(RELEASE, "x86_64", "1", tmp_path, "nowhere")
    with pytest.raises(HostSetupError, match=f"read the headers of {RELEASE}"):
        ensure_reference(kernel, tmp_path / "cache")


def test_the_likeliest_place_comes_first(reference: Reference) -> None:
    first, second = reference.find("kmalloc")
    assert (first.where, first.kind, first.header) == ("include/linux/slab.h:9", "function", "linux/slab.h")
    assert first.code.startswith("static inline void *kmalloc")
    assert first.prototype() == "static inline void *kmalloc(size_t size);"
    assert first.documented
    assert first.doc and first.doc.parameters == (("size", "how many bytes"),)
    assert second.where == "include/linux/slab_rt.h:1"
    # Whoever includes that one means it.
    assert reference.find("kmalloc", included=["linux/slab_rt.h"])[0] == second
    assert reference.find("kmalloc_none") == ()


def test_only_the_kernels_own_architecture_counts(reference: Reference) -> None:
    assert [one.code for one in reference.find("PAGE_SIZE")] == ["#define PAGE_SIZE 4096"]
    assert reference.find("_IO")[0].header == "linux/ioctl.h"


def test_a_macro_is_shown_without_the_room_before_its_line_ends(reference: Reference) -> None:
    assert reference.find("KMALLOC_MOST")[0].prototype() == "#define KMALLOC_MOST \\\n\t(1 << 22)"


def test_names_are_those_of_what_is_included(reference: Reference) -> None:
    assert reference.names("km") == {"kmalloc": "prototype", "kmeans": "prototype"}
    assert reference.names("km", included=["linux/slab.h"]) == {"kmalloc": "function"}
    assert reference.names("size", included=["linux/slab.h"]) == {"size_t": "typedef"}
    assert reference.names("_km") == {"_kmalloc_far": "prototype"}
    assert reference.headers("linux/sl") == ["linux/slab.h", "linux/slab_rt.h"]
    assert reference.headers("") == ["asm/", "generated/", "linux/"]


def test_definitions_come_out_of_the_source_package(small: KernelBuild, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(HostSetupError, match=r"apt-get install linux-source-9\.9"):
        ensure_definitions(KernelBuild("9.9.0-1-amd64", "x86_64", "1", tmp_path, "nowhere"), cache)
    add_source(small)
    assert find_definitions(small, cache) is None
    made = ensure_definitions(small, cache)
    (found,) = made.find("kfree")
    assert (found.where, found.header) == ("mm/slab.c:6", "")
    assert found.code == "void kfree(const void *all)\n{\n\thelper();\n}"
    assert found.doc and found.doc.brief == "free memory"
    assert made.find("helper") == ()
    assert find_definitions(small, cache) == made


@pytest.fixture
def here(lab: Lab, kernel: KernelBuild) -> Lab:
    """A notebook, of whose kernel there is an index."""
    ensure_reference(kernel, kmodlab.settings().cache)
    return lab


def test_ksource_shows_code_place_and_comment(here: Lab, cell: Cell) -> None:
    result, _ = cell("%ksource kmalloc")
    shown = result.result
    # Since Linux 6.10 kmalloc() is a macro around kmalloc_noprof(), which is shown in its place.
    assert re.match(r"kmalloc(?:_noprof)?: inline function, include/linux/slab\.h:\d+ of Linux \d", shown.text)
    assert "return __kmalloc" in shown.text
    assert re.search(r"allocate (?:kernel )?memory", shown.text)
    assert '<span class="k">return</span>' in shown.html
    assert "#include &lt;linux/slab.h&gt;" in shown.html
    result, _ = cell("%ksource module_init")
    # Of the two definitions, that for modules.
    assert "init_module(void)" in result.result.text
    result, _ = cell("%ksource struct list_head")
    assert "struct list_head *next, *prev;" in result.result.text


def test_all_places_of_a_name(here: Lab, cell: Cell) -> None:
    result, _ = cell("%ksource current")
    assert "--all shows them" in result.result.text
    result, _ = cell("%ksource --all current")
    assert result.result.text.count("#define current get_current()") >= 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%ksource", "%ksource: which name?"),
        ("%ksource kmaloc", "do not declare it; did you mean kmalloc"),
        ("%ksource nothing_of_that_kind", "do not declare it; names of one file alone are not known here"),
        ("%ksource a b", "'b' is one word too many"),
    ],
)
def test_ksource_says_what_is_wrong(line: str, message: str, here: Lab, cell: Cell) -> None:
    result, _ = cell(line)
    assert isinstance(result.error_in_exec, UsageError)
    assert message in str(result.error_in_exec)


def test_names_of_c_are_offered_with_what_they_are(here: Lab, shell: InteractiveShell) -> None:
    found = complete_c(here, CELL, CELL.rindex("kma") + 3)
    assert found is not None
    assert found[0] == "kma"
    assert found[1]["kmalloc"] in {"function", "macro"}  # since Linux 6.10
    found = complete_c(here, CELL, CELL.index("linux/sl\n") + 8)
    assert found is not None
    assert found[0] == "linux/sl"
    assert {"linux/slab.h": "header", "linux/slimbus.h": "header"}.items() <= found[1].items()
    assert all(name.startswith("linux/sl") for name in found[1])
    member = CELL + "\nstatic struct file_operations all = {\n\t.rea"
    assert complete_c(here, member.replace("linux/sl\n", "linux/fs.h>\n"), len(member) + 3) == (
        "rea",
        dict.fromkeys(["read", "read_iter"], "member"),
    )
    assert complete_c(here, CELL, 5) is None
    assert complete_c(here, "import kmalloc", 14) is None
    with provisionalcompleter():
        offered = list(shell.Completer.completions(CELL, CELL.rindex("kma") + 3))
    places = {(one.text, one.start): one.type for one in offered}
    assert places["kmalloc", CELL.rindex("kma")] in {"function", "macro"}


def test_parameters_and_their_values_are_those_of_the_cell(here: Lab) -> None:
    below = CELL.partition("\n")[2]
    assert complete(here, "%%kmod hello --load ", below) == ("", ["loud=", "whom="])
    assert complete(here, "%%kmod hello --load loud=", below) == ("loud=", ["loud=N", "loud=Y"])
    assert complete(here, "%%kmod hello --load whom=", below) == ("whom=", ["whom=world"])
    assert complete(here, "%insmod hello times=") == ("times=", ["times=1"])


def test_what_is_shown_of_a_name_while_writing(here: Lab) -> None:
    at = CELL.index("kmalloc")
    shown = inspect(here, CELL, at + 3)
    assert shown is not None
    assert shown["text/plain"].startswith("static __always_inline")
    assert re.search(r"allocate (?:kernel )?memory", shown["text/plain"])
    assert inspect(here, CELL, at + len("kmalloc(3")) == shown  # within the brackets of the call
    assert inspect(here, CELL, 4) is None
    assert inspect(here, CELL, CELL.index("hello")) is None
    assert inspect(here, CELL.replace("%%kmod", "%%program"), at + 4) is None


@pytest.mark.parametrize(
    ("code", "word"),
    [("kfree(|all)", "all"), ("kfree(1, |", "kfree"), ("|kfree(x)", "kfree"), ("x = 3;| y", ""), ("f(g(1), 2|", "f")],
)
def test_the_word_at_a_position(code: str, word: str) -> None:
    assert word_at(code.replace("|", ""), code.index("|")) == word


@pytest.mark.parametrize("name", sorted(verbs.ALL))
def test_a_question_mark_explains_each_verb_with_an_example(name: str, lab: Lab, shell: InteractiveShell) -> None:
    options = verbs.ALL[name]
    shown = shell.object_inspect(options.verb)
    assert shown["found"]
    assert options.about in shown["docstring"]
    example = shown["docstring"].partition("\nexample:\n")[2]
    assert example.lstrip().startswith(("%", "check", "rows", "result"))
