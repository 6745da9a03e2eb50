# SPDX-License-Identifier: MIT
"""``kmodlab explain``: any log, from a file or from standard input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data" / "reports"
LOG = DATA / "captured" / "null-write.log"
KO = DATA / "captured" / "faulty.ko.xz"


def explain(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "kmodlab", "explain", *map(str, arguments)]
    paths = os.pathsep.join([str(DATA.parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        argv, capture_output=True, input=stdin, cwd=cwd, env={**os.environ, "PYTHONPATH": paths}, check=False
    )


def test_a_log_as_json() -> None:
    finished = explain(LOG, "--json")
    content = json.loads(finished.stdout)
    assert (finished.returncode, finished.stderr, list(content)) == (0, b"", ["reports"])
    (report,) = content["reports"]
    assert (report["title"], report["module"]) == ("NULL pointer dereference in null_write", "faulty")
    assert report["where"] is None


def test_standard_input_and_several_reports() -> None:
    finished = explain("-", "--json", stdin=LOG.read_bytes() + (DATA / "captured" / "warn.log").read_bytes())
    titles = [report["title"] for report in json.loads(finished.stdout)["reports"]]
    assert titles == ["NULL pointer dereference in null_write", "WARNING in warn"]


@pytest.mark.parametrize("log", [b"", b"\n", b"all is well\n", b"\xff\xfe\x00\x80" * 100])
def test_a_log_without_a_report(log: bytes) -> None:
    finished = explain("-", "--json", stdin=log)
    assert (finished.returncode, json.loads(finished.stdout)) == (0, {"reports": []})
    assert b"no fault" in explain("-", stdin=log).stdout


@pytest.mark.build
def test_the_line_in_the_source_with_those_around_it() -> None:
    finished = explain(LOG, "--ko", KO, "--source", DATA / "faulty")
    text = finished.stdout.decode()
    assert finished.returncode == 0
    assert "at faulty.h:" in text
    assert ">" in text
    assert "WRITE_ONCE(*where, value);" in text
    assert "null_write+0xc [faulty] faulty_memory.c:" in text
    assert "A pointer that is NULL" in text


@pytest.mark.build
def test_the_source_in_the_current_folder() -> None:
    finished = explain(LOG, "--ko", KO, "--json", cwd=DATA / "faulty")
    where = json.loads(finished.stdout)["reports"][0]["where"]
    assert (where["file"], where["function"]) == ("faulty.h", "faulty_store")
    assert where["source"].startswith("WRITE_ONCE")


@pytest.mark.parametrize(
    "arguments", [("/nosuch",), (LOG, "--ko", "/nosuch.ko"), (LOG, "--ko", LOG), (), (LOG, "--source", "/nosuch")]
)
def test_a_wrong_command_line(arguments: tuple[str | Path, ...]) -> None:
    finished = explain(*arguments)
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert finished.stderr
