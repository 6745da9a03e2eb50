# SPDX-License-Identifier: MIT
"""The command line: exit statuses, and the promise that --json prints one object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kmodlab import errors
from kmodlab.cli import Verbs, _kmodlab, exit_status
from kmodlab.cli.doctor import Check
from kmodlab.cli.test import _from_top
from kmodlab.host import packages
from kmodlab.host.packages import HostPackage
from kmodlab.host.setup import Stage, run_stages


def kmodlab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kmodlab", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


@pytest.mark.parametrize(
    "arguments",
    [["nosuch"], ["build"], ["doctor", "--nosuch"], ["execute"], ["start", "--port", "x"], ["build", "/nosuch"]],
)
def test_a_wrong_command_line_is_2_and_says_so_on_standard_error(arguments: list[str]) -> None:
    finished = kmodlab(*arguments)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr


def test_json_is_one_object_even_for_a_wrong_command_line() -> None:
    for arguments in (["build", "--json"], ["build", "/nosuch", "--json"], ["doctor", "--json", "--nosuch"]):
        finished = kmodlab(*arguments)
        assert finished.returncode == 2
        content = json.loads(finished.stdout)
        assert content["ok"] is False
        assert content["error"]["message"]


def test_doctor_says_what_is_there(tmp_path: Path) -> None:
    finished = kmodlab("doctor", "--json", KMODLAB_CACHE=str(tmp_path / "none"), KMODLAB_SHARED_CACHE="")
    content = json.loads(finished.stdout)
    assert set(content) == {"ok", "checks"}
    assert content["ok"] is False
    assert finished.returncode == 3
    by_name = {check["name"]: check for check in content["checks"]}
    assert all(set(check) == set(Check.__dataclass_fields__) for check in content["checks"])
    assert by_name["Python"]["ok"]
    assert not by_name["kernel"]["ok"]
    assert by_name["kernel"]["mend"] == "run ./lab setup"
    # The sandbox is tried, and one of the two needs a program of its own and a place to work in.
    assert {path.name for path in tmp_path.glob("none/*")} <= {"programs", "work"}


def test_doctor_prints_one_line_for_an_administrator(tmp_path: Path) -> None:
    finished = kmodlab("doctor", PATH="/nowhere", KMODLAB_CACHE=str(tmp_path))
    lines = [line for line in finished.stdout.splitlines() if line.startswith("apt-get install")]
    assert len(lines) == 1
    assert lines[0].startswith("apt-get install --no-install-recommends ")
    assert {"qemu-system-x86", "gcc", "bubblewrap"} <= set(lines[0].split())


def test_a_bad_setting_is_a_wrong_command_line() -> None:
    finished = kmodlab("doctor", KMODLAB_CPUS="many")
    assert finished.returncode == 2
    assert "KMODLAB_CPUS=many: not a number" in finished.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError("x"), 2),
        (click.UsageError("x"), 2),
        (errors.CompileError("x"), 1),
        (errors.ModuleLoadError("x", module="m", errno=1), 1),
        (errors.SandboxError("x"), 3),
        (errors.HostSetupError("x"), 3),
        (errors.MachineLost("x"), 3),
        (ZeroDivisionError(), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_each_error_means(error: BaseException, status: int) -> None:
    assert exit_status(error) == status


def test_every_verb_can_be_loaded_and_says_what_it_does() -> None:
    context = click.Context(_kmodlab)
    assert isinstance(_kmodlab, Verbs)
    for name in _kmodlab.list_commands(context):
        command = _kmodlab.get_command(context, name)
        assert command is not None
        assert command.help
    assert _kmodlab.get_command(context, "output") is None


def test_python_is_the_lab_s_own() -> None:
    finished = kmodlab(
        "python", "-c", "import kmodlab, sys; print(sys.executable, sys.argv[1:])", "-x", "--json", "--help"
    )
    assert finished.stdout == f"{sys.executable} ['-x', '--json', '--help']\n"


def test_paths_of_tests_are_those_the_user_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert _from_top("test_x.py::test_y") == f"{tmp_path}/test_x.py::test_y"
    assert _from_top("-k") == "-k"
    assert _from_top("not there") == "not there"
    assert _from_top("") == ""


def test_stages_are_skipped_made_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kmodlab.config import settings

    monkeypatch.setenv("KMODLAB_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    made: list[str] = []

    def fail() -> None:
        raise errors.HostSetupError("no room")

    def stage(name: str, ready: bool = False, needs: str = "", make: object = None) -> Stage:
        chosen = make if callable(make) else lambda: made.append(name)
        return Stage(name, lambda: ready, lambda: name, chosen, needs)

    try:
        failures = run_stages(
            [stage("a", ready=True), stage("b"), stage("c", make=fail), stage("d", needs="c"), stage("e", needs="b")]
        )
    finally:
        settings.cache_clear()
    assert made == ["b", "e"]
    assert [failure.stage for failure in failures] == ["c", "d"]
    noted = json.loads((tmp_path / "cache" / "setup.json").read_text())["stages"]
    assert set(noted) == {"b", "e"}
    assert set(noted["b"]) == {"bytes", "seconds", "fetching"}


def test_missing_packages_are_found_and_named_in_one_line() -> None:
    here = HostPackage("coreutils", "machine", "x", program="ls")
    gone = HostPackage("nosuch", "machine", "x", program="no-such-program")
    library = HostPackage("libc6", "machine", "x", library="libc.so.6")
    absent = HostPackage("libnosuch", "machine", "x", library="libnosuch.so.1")
    assert here.found().endswith("/ls")
    assert not gone.found()
    assert library.found().endswith("libc.so.6")
    assert not absent.found()
    assert packages.install_line([gone, absent]) == "apt-get install --no-install-recommends nosuch libnosuch"
