# SPDX-License-Identifier: MIT
"""The quick way to build: what it makes is what kbuild makes, and what it must not make it leaves to kbuild."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.build import build
from kmodlab.build.cache import Store
from kmodlab.build.fast import fast
from kmodlab.build.kbuild import kbuild
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.shape import leading_block
from kmodlab.build.source import ModuleSource
from kmodlab.config import Settings
from kmodlab.errors import CompileError
from kmodlab.resources import resource
from tests.build.likeness import facts, same

pytestmark = pytest.mark.build

ALWAYS = {"hello", "scribble", "sinknic", "quota"}
FRAME = """\
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/module.h>
%s
MODULE_DESCRIPTION("d");
"""
GOOD = 'static int __init a(void) { pr_info("x"); return 0; }\nmodule_init(a);\nMODULE_LICENSE("GPL");'


def single_modules() -> list[object]:
    """The lab's modules of one file; a few of them belong to the default run."""
    folders = sorted(path.parent for path in resource("lab_modules").glob("*/Kbuild"))
    return [
        pytest.param(path.name, marks=[] if path.name in ALWAYS else [pytest.mark.slow])
        for path in folders
        if len(list(path.glob("*.c"))) == 1
    ]


@pytest.fixture(params=["auto", "landlock"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sandbox that is chosen here, and the one for hosts without namespaces."""
    monkeypatch.setenv("KMODLAB_SANDBOX", request.param)
    kmodlab.settings.cache_clear()
    yield
    monkeypatch.undo()
    kmodlab.settings.cache_clear()


def framed(text: str, name: str = "framed") -> ModuleSource:
    return ModuleSource.from_text(name, FRAME % text)


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("name", single_modules())
def test_it_makes_what_kbuild_makes(kernel: KernelBuild, tmp_path: Path, name: str) -> None:
    source = ModuleSource.from_path(resource("lab_modules") / name)
    quick = fast(source, kernel, kmodlab.settings().cache, timeout=100)
    assert quick is not None
    reference = kbuild(source, kernel, timeout=100)
    assert (quick.exit_status, quick.diagnostics) == (0, reference.diagnostics)
    assert same(quick.files[f"{name}.ko"], reference.files[f"{name}.ko"], tmp_path / "object")


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize(
    "text",
    [
        "int unused_thing(void) { int x; return 0; }\n" + GOOD,
        "static int __init a(void) { pr_info(1) return 0; }",
        "static int __init a(void) { return nobody_has_this(); }",
        "int nobody_has_this(void);\n" + GOOD.replace("return 0", "return nobody_has_this()"),
        GOOD.replace('MODULE_LICENSE("GPL");', ""),
        "#include <linux/there_is_no_such.h>\n" + GOOD,
        'MODULE_VERSION("1.2");\n' + GOOD,
        'MODULE_ALIAS("thing:x*");\nMODULE_SOFTDEP("pre: crc32c");\n' + GOOD,
    ],
    ids=["warning", "syntax", "undeclared", "undefined", "no licence", "no header", "version", "alias"],
)
def test_it_says_what_kbuild_says(kernel: KernelBuild, own: Settings, text: str) -> None:
    source = framed(text)
    quick = fast(source, kernel, own.cache, timeout=100)
    reference = kbuild(source, kernel, timeout=100)
    if quick is None:
        assert "there_is_no_such" in text
        with pytest.raises(CompileError, match="no such header|No such file"):
            build(source, kernel, settings=own)
        return
    assert bool(quick.exit_status) == bool(reference.exit_status)
    assert quick.diagnostics == reference.diagnostics
    assert {name: facts(content) for name, content in quick.files.items() if name.endswith(".ko")} == {
        name: facts(content) for name, content in reference.files.items() if name.endswith(".ko")
    }


def test_a_forgotten_include_is_still_missing(kernel: KernelBuild, own: Settings) -> None:
    user = "static void *p;\n" + GOOD.replace("return 0", "p = vmalloc(10); return 0")
    assert build(framed("#include <linux/vmalloc.h>\n" + user), kernel, settings=own).how == "fast"
    with pytest.raises(CompileError, match="vmalloc"):
        build(framed(user), kernel, settings=own)


def test_the_name_in_a_message_is_the_module_s_own(kernel: KernelBuild, own: Settings) -> None:
    """Two modules with the same block: neither is built with what was compiled for the other."""
    for name in ("framed", "other"):
        built = build(framed(GOOD, name), kernel, settings=own)
        assert built.how == "fast"
        assert f"{name}: x".encode() in built.path.read_bytes()


@pytest.mark.parametrize(
    "files",
    [
        {"exp.c": FRAME % GOOD, "Kbuild": "obj-m := exp.o also.o", "also.c": FRAME % GOOD},
        {"exp.c": FRAME % GOOD, "Kbuild": "obj-m := exp.o\nccflags-y := -DX=1"},
        {"exp.c": FRAME % GOOD, "Kbuild": "obj-m := exp.o\nexp-y := one.o two.o", "one.c": "", "two.c": ""},
        {"exp.c": GOOD, "Kbuild": "obj-m := exp.o"},
    ],
    ids=["two modules", "flags", "empty files", "no includes"],
)
def test_any_other_shape_is_left_to_kbuild(kernel: KernelBuild, tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert fast(ModuleSource.from_path(tmp_path), kernel, kmodlab.settings().cache, timeout=100) is None


def test_edits_of_one_module_are_each_what_kbuild_makes(kernel: KernelBuild, tmp_path: Path) -> None:
    """Most use the same of the kernel as the one before, whose generated part then serves again; some do not."""
    for name in ("recipes", "headers"):
        (tmp_path / name).symlink_to(kmodlab.settings().cache / name)
    weak = "extern void *vzalloc(unsigned long size) __attribute__((weak));\nstatic void *(*p)(unsigned long);\n"
    more = GOOD.replace("return 0", 'p = vzalloc; return request_module("y") ? 0 : 1')
    edits = [GOOD, GOOD.replace('"x"', '"y"'), GOOD.replace('"x"', '"z"'), weak + more, GOOD, weak + more]
    for number, text in enumerate(edits):
        source = ModuleSource.from_text("framed", FRAME % text)
        quick = fast(source, kernel, tmp_path, timeout=100)
        reference = kbuild(source, kernel, timeout=100)
        assert quick is not None
        assert quick.files["framed.mod.c"] == reference.files["framed.mod.c"]
        assert same(quick.files["framed.ko"], reference.files["framed.ko"], tmp_path / "object"), number
    assert len(list(tmp_path.glob("objects/*/object"))) == 2


def test_what_a_stranger_s_build_left_is_not_taken_for_what_modpost_writes(kernel: KernelBuild, tmp_path: Path) -> None:
    """The text that was remembered is only a guess: an object is used for the very text it was compiled from."""
    for name in ("recipes", "headers"):
        (tmp_path / name).symlink_to(kmodlab.settings().cache / name)
    source = framed(GOOD)
    first = fast(source, kernel, tmp_path, timeout=100)
    assert first is not None
    (last,) = tmp_path.glob("objects/*")
    forged = first.files["framed.mod.c"] + b'\nMODULE_INFO(forged, "yes");\n'
    store = Store(tmp_path / "objects")
    store.put(last.name, {"text": forged}, {})
    again = fast(source, kernel, tmp_path, timeout=100)
    assert again is not None
    assert again.files == first.files
    assert b"forged" not in again.files["framed.ko"]


def test_a_damaged_header_is_made_anew(kernel: KernelBuild, tmp_path: Path) -> None:
    source = framed(GOOD)
    (tmp_path / "recipes").symlink_to(kmodlab.settings().cache / "recipes")
    first = fast(source, kernel, tmp_path, timeout=100)
    for path in tmp_path.glob("headers/*/*.gch"):
        os.truncate(path, 100_000)
    again = fast(source, kernel, tmp_path, timeout=100)
    assert first
    assert again
    assert first.files == again.files
    assert min(path.stat().st_size for path in tmp_path.glob("headers/*/*.gch")) > 1_000_000


def test_where_there_is_no_room_for_headers_kbuild_builds(kernel: KernelBuild, own: Settings, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("not a folder")
    (own.cache / "headers").unlink()
    (own.cache / "headers").symlink_to(tmp_path / "headers")
    assert build(framed(GOOD), kernel, settings=own).how == "kbuild"


@pytest.mark.parametrize(
    ("text", "block", "lines"),
    [
        ("", "", 0),
        ("int x;\n#include <a.h>\n", "", 0),
        ("#include <a.h>\n#include <b/c.h>\nint x;\n#include <d.h>\n", "#include <a.h>\n#include <b/c.h>\n", 2),
        ("// SPDX\n/*\n * two lines\n */\n\n#include <a.h> \n\n#define X 1\n", "#include <a.h>\n", 6),
        ("#define pr_fmt(f) f\n# include  <a.h>\n", "#define pr_fmt(f) f\n# include  <a.h>\n", 2),
        ('#include "own.h"\n#include <a.h>\n', "", 0),
        ("#include <a.h>\n#ifdef X\n#include <b.h>\n#endif\n", "#include <a.h>\n", 1),
        ("#define LONG \\\n 1\n#include <a.h>\n", "", 0),
        ("#define X /* begins\n */ 1\n#include <a.h>\n", "", 0),
        ("#include <a.h> int x;\n", "", 0),
        ("#include <a.h>\t/* one */\n#include <b.h> // two\n", "#include <a.h>\n#include <b.h>\n", 2),
        ("#include <a.h> /* begins\n */\n", "", 0),
    ],
)  # fmt: skip
def test_leading_block(text: str, block: str, lines: int) -> None:
    assert leading_block(text) == (block, lines)
