# SPDX-License-Identifier: MIT
"""What the Dockerfile and its like say, as far as that can be read off them."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from kmodlab.host.packages import HOST_PACKAGES
from tests.containers.dockerfile import TOP, kept, read

DOCKERFILE = TOP / "Dockerfile"  # neither a wheel nor the image itself holds it
pytestmark = [pytest.mark.checkout, pytest.mark.skipif(not DOCKERFILE.exists(), reason="no Dockerfile here")]

STAGES = read(DOCKERFILE.read_text() if DOCKERFILE.exists() else "")
STEPS = [step for stage in STAGES for step in stage.steps]


def test_each_run_is_one_script_of_ours() -> None:
    scripts = []
    for step in STEPS:
        if step.name == "RUN":
            (path,) = step.words
            scripts.append(TOP / "containers" / path.rpartition("/")[2])
    assert sorted(scripts) == sorted((TOP / "containers").iterdir())
    assert all(path.stat().st_mode & 0o111 for path in scripts)


def test_it_begins_with_debian_and_ends_with_a_user() -> None:
    names = {stage.name for stage in STAGES}
    assert {stage.base for stage in STAGES} - names == {"docker.io/library/debian:12-slim"}
    users = [step.words[0] for step in STAGES[-1].steps if step.name == "USER"]
    assert users == ["learner"]


def test_only_root_s_step_is_taken_by_root() -> None:
    for stage in STAGES:
        user = "root"
        for step in stage.steps:
            user = step.words[0] if step.name == "USER" else user
            if step.name == "RUN":
                assert (user == "root") == step.words[0].endswith("/system")


def test_the_server_is_the_image_s_command() -> None:
    (command,) = (step.words for step in STEPS if step.name == "CMD")
    (port,) = (step.words[0] for step in STEPS if step.name == "EXPOSE")
    assert command[:2] == ("kmodlab", "start")
    assert command[command.index("--port") + 1] == port


@pytest.mark.parametrize(("machine", "qemu"), [("amd64", "qemu-system-x86"), ("arm64", "qemu-system-arm")])
def test_debian_s_packages_are_those_that_doctor_names(machine: str, qemu: str) -> None:
    text = (TOP / "containers" / "system").read_text()
    chosen = re.search(rf"^  ({machine}|\*)\) qemu='(\S+)' ;;", text, re.MULTILINE)
    assert chosen
    assert chosen[2] == qemu
    found = re.search(r"--no-install-recommends \\\n((?:.*\\\n)*.*)\n", text)
    assert found
    installed = set(found[1].replace("\\", "").split())
    assert {one.name for one in HOST_PACKAGES if not one.name.startswith("qemu-")} <= installed


def test_nothing_but_what_is_tracked_can_get_in() -> None:
    names = kept((TOP / ".dockerignore").read_text())
    listed = subprocess.run(["git", "ls-files", "-z", *names], cwd=TOP, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {name.split("/")[0] for name in listed.stdout.split("\0") if name} == set(names)
    for step in STEPS:
        if step.name == "COPY" and "from" not in step.options:
            assert step.words[0] == "." or step.words[0].split("/")[0] in names


def test_binder_takes_the_dockerfile() -> None:
    """It looks into a folder of its own first, and then at nothing else."""
    assert not (TOP / "binder").exists()
    assert not (TOP / ".binder").exists()


def test_the_dev_container_is_the_same_image() -> None:
    folder = TOP / ".devcontainer"
    given = json.loads((folder / "devcontainer.json").read_text())
    assert (folder / given["build"]["dockerfile"]).resolve() == TOP / "Dockerfile"
    assert (folder / given["build"]["context"]).resolve() == TOP
    assert [given["remoteUser"]] == [step.words[0] for step in STAGES[-1].steps if step.name == "USER"]
    assert [str(port) for port in given["forwardPorts"]] == [step.words[0] for step in STEPS if step.name == "EXPOSE"]
    python = given["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    (path,) = (word for step in STEPS if step.name == "ENV" for word in step.words if word.startswith("PATH="))
    assert python.rpartition("/")[0] in path


def test_the_readme_s_line_fits() -> None:
    line = next(line for line in (TOP / "README.md").read_text().splitlines() if "docker run" in line)
    (port,) = (step.words[0] for step in STEPS if step.name == "EXPOSE")
    assert f"127.0.0.1:{port}:{port}" in line
    (home,) = {word for step in STEPS if step.name == "ENV" for word in step.words if word.startswith("HOME=")}
    assert f":{home.removeprefix('HOME=')}/kept " in line
