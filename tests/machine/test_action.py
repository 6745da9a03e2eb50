# SPDX-License-Identifier: MIT
"""The action for GitHub's CI: its script, run as the runner would run it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from kmodlab.build.kernel import KernelBuild
from kmodlab.resources import checkout, resource

pytestmark = [pytest.mark.machine, pytest.mark.build, pytest.mark.checkout, pytest.mark.slow]


def act(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's one step in a folder, with these inputs and the defaults of the others."""
    top = checkout()
    assert top
    place = top / ".github/actions/check"
    action = yaml.safe_load((place / "action.yml").read_text())
    values = {f"inputs.{name}": inputs.get(name, facts["default"]) for name, facts in action["inputs"].items()}
    values["github.action_path"] = str(place)
    (step,) = action["runs"]["steps"]
    environment = dict(os.environ)
    for name, text in step["env"].items():
        for key, value in values.items():
            text = text.replace("${{ " + key + " }}", value)
        environment[name] = text
    assert "${{" not in step["run"]
    argv = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_good_module_passes_with_each_kernel(frozen: KernelBuild, tmp_path: Path) -> None:
    done = act(tmp_path, path=str(resource("lab_modules") / "hello"), kernels=frozen.release, results="out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello: clean; all " in (tmp_path / "out/check.txt").read_text()
    assert ElementTree.parse(tmp_path / "out/check.xml").getroot().get("failures") == "0"


def test_a_faulty_module_fails_the_step_and_says_where(frozen: KernelBuild, tmp_path: Path) -> None:
    done = act(tmp_path, path=str(resource("tests") / "faults/null_write_init"))
    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads((tmp_path / "kmodlab-results/check.sarif").read_text())["runs"][0]["results"]
    places = [place["physicalLocation"] for one in results for place in one.get("locations", ())]
    assert "null_write_init.c" in {place["artifactLocation"]["uri"] for place in places}


def test_an_input_is_never_a_command(frozen: KernelBuild, tmp_path: Path) -> None:
    done = act(tmp_path, path='x"; touch escaped; "$(touch escaped)', kernels="$(touch escaped) ; touch escaped")
    assert done.returncode == 2, done.stdout + done.stderr
    assert not list(tmp_path.glob("**/escaped"))
