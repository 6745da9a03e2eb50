# SPDX-License-Identifier: MIT
"""Each faulty or hostile module of this folder, tried on a real machine: the verdict, the line, the leaks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.verdict.record import ORDER
from kmodlab.verdict.trial import try_module
from tests.faults.faults import Fault, faults, table

FAULTS = faults()
LEFT_BY_KBUILD = (Path("/tmp/kmodlab-owned"), Path.home() / "kmodlab-owned")


def cases() -> list[Any]:
    """One case a folder; most of them are slow."""
    return [pytest.param(fault, id=fault.name, marks=() if fault.fast else pytest.mark.slow) for fault in FAULTS]


@pytest.mark.machine
@pytest.mark.parametrize("fault", cases())
def test_verdict(frozen: KernelBuild, fault: Fault) -> None:
    verdict = try_module(fault.folder, fault.parameters, fault.exec, kernel=frozen)
    said = verdict.to_dict()
    shown = f"{said['title']}\n" + "\n".join(str(finding) for finding in said["findings"])
    assert said["verdict"] == fault.verdict, shown
    if fault.title:
        assert re.search(fault.title, said["title"], re.IGNORECASE), shown
    if fault.finding:
        assert any(re.search(fault.finding, one["title"], re.IGNORECASE) for one in said["findings"]), shown
    if fault.failing:
        assert any(one["kind"] == fault.failing and one["failing"] for one in said["findings"]), shown
    assert verdict.exit_status == (fault.verdict != "clean" or fault.failing is not None), shown
    assert_place(fault, said["where"])
    if fault.leaks is not None:
        assert_leaks(fault, said["leaks"])
    if fault.verdict == "clean":
        assert [one["exit_status"] for one in said["exec"]] == [0] * len(fault.exec), said["exec"]
        assert not said["leaks"]
        assert fault.failing or not said["reports"]


def assert_place(fault: Fault, where: dict[str, Any] | None) -> None:
    """The line is one of those that are marked, or there is none where none is to blame."""
    if where is None:
        assert fault.line != "here", f"no line is named; it is {fault.lines}"
        return
    assert fault.line != "none", f"no line is to blame, but {where} is named"
    assert (where["file"], where["line"]) in fault.lines, f"{where} is named"
    if fault.function and where["function"]:
        assert where["function"] == fault.function


def assert_leaks(fault: Fault, leaks: list[dict[str, Any]]) -> None:
    """All memory that was lost, and nothing more, each allocated on a line that is marked."""
    assert Counter(leak["size"] for leak in leaks if leak["size"] is not None) == Counter(fault.leaks)
    places = [(leak["where"]["file"], leak["where"]["line"]) for leak in leaks if leak["where"]]
    assert len(places) == len(fault.leaks)
    assert set(places) <= set(fault.lines)


@pytest.mark.slow
@pytest.mark.machine
def test_a_kbuild_that_runs_commands_leaves_nothing_on_the_host(frozen: KernelBuild) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "kbuild_command")
    before = [path.exists() for path in LEFT_BY_KBUILD]
    assert try_module(fault.folder, kernel=frozen).verdict == "clean"
    assert [path.exists() for path in LEFT_BY_KBUILD] == before == [False, False]


def test_the_folders_are_whole() -> None:
    assert len(FAULTS) >= 44
    for fault in FAULTS:
        assert fault.verdict in ORDER, fault.name
        assert fault.line in {"here", "none", "either"}, fault.name
        assert fault.lines or fault.line == "none", fault.name
        assert (fault.folder / "Kbuild").is_file(), fault.name
        assert re.search(r"\.$", fault.summary), fault.name
        if fault.verdict not in {"clean", "build-error", "load-error"}:
            assert any("DELIBERATE BUG: " in path.read_text() for path in fault.folder.glob("*.[ch]")), fault.name


def test_at_least_half_of_the_faults_are_not_in_init() -> None:
    running = [fault for fault in FAULTS if fault.verdict in {"hung", "oopsed", "leaked", "warned"}]
    elsewhere = [fault for fault in running if fault.function and not fault.function.endswith("_init")]
    assert 2 * len(elsewhere) >= len(running)


def test_the_table_has_a_row_for_each() -> None:
    rows = table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [fault.name for fault in FAULTS]
