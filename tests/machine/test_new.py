# SPDX-License-Identifier: MIT
"""``kmodlab new``: what it makes builds, loads, is used and passes every check."""

from __future__ import annotations

from pathlib import Path
from string import Template

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.names import LONGEST
from kmodlab.build.new import KINDS, new_module
from kmodlab.errors import UsageError
from kmodlab.verdict.check import check_module

pytestmark = [pytest.mark.machine, pytest.mark.build]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_module_works(frozen: KernelBuild, tmp_path: Path, kind: str) -> None:
    folder = new_module(f"my_{kind}", kind, tmp_path)
    line = Template(KINDS[kind].line).substitute(name=folder.name)
    verdict = kmodlab.try_module(folder, exec=[line], kernel=frozen)
    assert verdict.verdict == "clean"
    assert [one.exit_status for one in verdict.exec] == [0]
    assert line in (folder / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, LONGEST])
def test_it_passes_every_check_whatever_its_name(frozen: KernelBuild, tmp_path: Path, kind: str, length: int) -> None:
    result = check_module(new_module("x" * length, kind, tmp_path), [frozen])
    # A line with such a name in it twice is too long for the kernel's style, and no template can help that.
    wrong = [one.message for one in result.checks if not one.passed]
    assert [text for text in wrong if length == 1 or "line length" not in text] == []
    assert result.verdict == "clean"


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.c").write_text("all my work")
    with pytest.raises(UsageError, match="something of that name is there"):
        new_module("mine", "hello", tmp_path)
    assert [(path.name, path.read_text()) for path in (tmp_path / "mine").iterdir()] == [("mine.c", "all my work")]


@pytest.mark.parametrize("name", ["../up", "a b", "int", "", "x.c"])
def test_a_name_that_no_module_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name the module"):
        new_module(name, "hello", tmp_path)
    assert list(tmp_path.iterdir()) == []
