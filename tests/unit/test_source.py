# SPDX-License-Identifier: MIT
"""A module's source: which names and texts are taken, what of a folder comes along, and whose lines are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.build.makefile import modules_of
from kmodlab.build.names import LONGEST, check_name
from kmodlab.build.source import ModuleSource
from kmodlab.errors import UsageError

C = "#include <linux/module.h>\nint x;\n"


def folder(place: Path, **files: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    return place


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "no name was given"),
        ("  ", "no name was given"),
        ("../hello", "a name is no path; hello would do"),
        ("/etc/passwd", "a name is no path"),
        ("..", "a name is no path"),
        ("two words", "two_words would do"),
        ("tab\there", "a space"),
        ("line\nbreak", "a space"),
        ("int", "a word of the C language; my_int would do"),
        ("while", "a word of the C language"),
        ("größe", "outside ASCII"),
        ("модуль", "outside ASCII"),
        ("obj", "kbuild uses it"),
        ("hello.c", "leave out the ending; hello would do"),
        ("hello.ko", "leave out the ending"),
        ("my-module", "my_module would do"),
        ("3d", "no C identifier"),
        ("a\0b", "no C identifier"),
        ("$(shell id)", "space"),
        ("a;b", "no C identifier"),
        ("x" * 56, "56 characters, the kernel takes 55"),
        ("x" * 5000, "5000 characters"),
    ],
)
def test_a_name_that_no_module_can_have_is_refused_in_one_sentence(name: str, says: str) -> None:
    with pytest.raises(UsageError, match="name the module") as caught:
        ModuleSource.from_text(name, C)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert len(message) < 200


@pytest.mark.parametrize("name", ["hello", "_x", "A1", "x" * LONGEST, "kernel", "module", "linux", "init"])
def test_a_name_that_a_module_can_have_is_taken(name: str) -> None:
    assert ModuleSource.from_text(name, C).modules == (name,)


@given(st.text(max_size=80))
def test_what_is_suggested_in_place_of_a_bad_name_is_itself_taken(name: str) -> None:
    try:
        check_name(name)
    except UsageError as error:
        before, found, _ = str(error).rpartition(" would do")
        if found:
            check_name(before.rpartition(" ")[2])


@pytest.mark.parametrize("text", ["", " \n\t\n", "// only this\n/* and\nthis */\n", "/* never closed", "\ufeff"])
def test_an_empty_cell_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"^build hello: hello\.c holds no C; write") as caught:
        ModuleSource.from_text("hello", text)
    assert "\n" not in str(caught.value)


def test_a_nul_byte_is_refused_with_the_cells_own_line() -> None:
    with pytest.raises(UsageError, match="read cell 3: line 12 holds a NUL byte"):
        ModuleSource.from_text("hello", "int a;\nint b;\0\n", filename="cell 3", first_line=11)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UsageError, match="character 9 is half of a surrogate pair"):
        ModuleSource.from_text("hello", "int x; /\ud800/")


def test_text_outside_ascii_is_kept_byte_for_byte() -> None:
    text = '/* Größe 漢字 */ char *s = "→";\n'
    assert ModuleSource.from_text("hello", text).files["hello.c"] == text.encode()


def test_lines_of_a_cell_are_named_as_the_cell_counts_them() -> None:
    source = ModuleSource.from_text("hello", C, filename="cell 7", first_line=4)
    assert source.place("/build/hello.c", 2) == ("cell 7", 5)
    assert source.place("hello.c", None) == ("cell 7", None)
    assert source.place("/build/Kbuild", 1) == ("Kbuild", 1)
    assert source.place("include/linux/module.h", 130) == ("include/linux/module.h", 130)
    assert source.line("/build/hello.c", 2) == "int x;"
    assert source.line("hello.c", 99) == ""


def test_a_cell_that_moves_is_the_same_to_the_cache_but_shown_elsewhere() -> None:
    here, there = (ModuleSource.from_text("hello", C, first_line=line) for line in (2, 5))
    assert here.key == there.key
    assert here != there
    assert len({here, there, ModuleSource.from_text("hello", C, first_line=2)}) == 2


def test_the_key_changes_with_name_and_content() -> None:
    keys = {ModuleSource.from_text(name, C + end).key for name in ("a", "b") for end in ("", " ")}
    assert len(keys) == 4


def test_a_source_cannot_be_changed() -> None:
    source = ModuleSource.from_text("hello", C)
    with pytest.raises(AttributeError):
        source.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        source.files["hello.c"] = b""  # type: ignore[index]


def test_a_file_brings_the_headers_it_includes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "outside.h").write_text("secret")
    place = folder(
        tmp_path / "m",
        hello__c='#include "one.h"\n#include "../outside.h"\n#include "/etc/passwd"\n#include "none.h"\nint x;\n',
        one__h='#include "two.h"\n',
        two__h='#include "one.h"\n',
        three__h="",
    )
    source = ModuleSource.from_path(place / "hello.c")
    assert set(source.files) == {"hello.c", "one.h", "two.h", "Kbuild"}
    assert source.files["Kbuild"] == b"obj-m := hello.o\n"


def test_a_file_with_a_hyphen_makes_a_module_with_an_underscore(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "my-dev.c").write_text(C)
    source = ModuleSource.from_path(place / "my-dev.c")
    assert (source.name, source.modules, source.files["Kbuild"]) == ("my_dev", ("my_dev",), b"obj-m := my-dev.o\n")


def test_of_a_folder_neither_products_nor_notes_nor_outside_links_come_along(tmp_path: Path) -> None:
    (tmp_path / "secret.h").write_text("secret")
    place = folder(tmp_path / "m", Kbuild="obj-m := hello.o\n", hello__c=C, util__h="", table__bin="b")
    for name in ("hello.o", "hello.ko", "hello.mod", "hello.mod.c", "Module.symvers", "modules.order", ".hello.o.cmd"):
        (place / name).write_text("product")
    for name in ("README.md", "lab.toml", "checks.py"):
        (place / name).write_text("note")
    folder(place / ".git", config="")
    folder(place / "sub", part__c=C)
    (place / "leak.h").symlink_to("../secret.h")
    (place / "leak").symlink_to("/etc")
    (place / "inside.h").symlink_to("util.h")
    (place / "loop").symlink_to(".")
    (place / "nowhere.h").symlink_to("gone")
    os.mkfifo(place / "pipe.c")
    source = ModuleSource.from_path(place)
    assert set(source.files) == {"Kbuild", "hello.c", "util.h", "table.bin", "sub/part.c", "inside.h"}
    assert source.name == "hello"


def test_a_folder_given_through_a_link_is_read(tmp_path: Path) -> None:
    folder(tmp_path / "m", Kbuild="obj-m := hello.o\n", hello__c=C)
    (tmp_path / "link").symlink_to("m")
    assert ModuleSource.from_path(tmp_path / "link") == ModuleSource.from_path(tmp_path / "m")


def test_a_makefile_from_windows_is_given_the_line_ends_of_make(tmp_path: Path) -> None:
    place = folder(tmp_path, hello__c=C)
    (place / "Makefile").write_bytes(b"obj-m := hello.o\r\n")
    source = ModuleSource.from_path(place)
    assert (source.modules, source.files["Makefile"]) == (("hello",), b"obj-m := hello.o\n")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "neither a Kbuild nor a Makefile"),
        ({"Makefile": "all:\n\tgcc x.c\n", "x__c": C}, "never sets obj-m"),
        ({"Kbuild": "obj-m := int.o\n", "int__c": C}, "a word of the C language"),
        ({"Kbuild": "obj-m := a.o\n", "a__c": "int x\0;"}, "line 1 holds a NUL byte"),
    ],
)
def test_a_folder_that_is_no_modules_is_refused(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ModuleSource.from_path(folder(tmp_path / "m", **files))


def test_a_path_that_is_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ENOENT"):
        ModuleSource.from_path(tmp_path / "gone")
    (tmp_path / "x.txt").write_text(C)
    with pytest.raises(UsageError, match=r"not a \.c file"):
        ModuleSource.from_path(tmp_path / "x.txt")
    (tmp_path / "two words.c").write_text(C)
    with pytest.raises(UsageError, match="a space"):
        ModuleSource.from_path(tmp_path / "two words.c")
    (tmp_path / "folder.c").mkdir()
    with pytest.raises(UsageError, match="neither a Kbuild"):
        ModuleSource.from_path(tmp_path / "folder.c")


def test_a_folder_too_large_for_a_module_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path, Kbuild="obj-m := a.o\n")
    with (place / "huge.bin").open("wb") as stream:
        stream.truncate(17 << 20)
    with pytest.raises(UsageError, match="16 MiB"):
        ModuleSource.from_path(place)


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("obj-m := a.o", ("a",)),
        ("obj-m = a.o b.o # c.o", ("a", "b")),
        ("obj-m := a.o\nobj-m += \\\n  b.o \\\n  c.o\n", ("a", "b", "c")),
        ("NAME := x\nobj-m := $(NAME).o\n$(NAME)-y := x1.o x2.o\n", ("x",)),
        ("ifneq ($(KERNELRELEASE),)\n  obj-m := a.o\nelse\nall:\n\tmake -C x M=$(PWD)\nendif\n", ("a",)),
        ("ifdef D\nobj-m := a.o\nelse\nobj-m := b.o\nendif", ("a", "b")),
        ("obj-m := snd-a.o", ("snd_a",)),
        ("obj-m := $(shell ls).o", ()),
        ("obj-m := sub/", ("inner",)),
        ("A = $(B)\nB = $(A)\nobj-m := $(A).o", ()),
        ("obj-m :=", ()),
        ("obj-y := a.o", None),
        ("# obj-m := a.o", None),
        ("", None),
    ],
)
def test_the_modules_of_a_kbuild_are_read_without_running_it(text: str, modules: tuple[str, ...] | None) -> None:
    assert modules_of(text, lambda name: "obj-m := inner.o" if name == "sub" else None) == modules


@given(st.text(alphabet="obj-m :=+?\\\n$(){}#ax.", max_size=200))
def test_no_makefile_upsets_the_reader(text: str) -> None:
    found = modules_of(text)
    assert found is None or isinstance(found, tuple)
