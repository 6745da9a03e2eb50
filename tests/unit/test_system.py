# SPDX-License-Identifier: MIT
"""Which systems can be set up, and the sentence for each of the others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.host.system import advice, parse_release, this_system
from kmodlab.resources import checkout

RELEASES = {
    "debian": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\n'
    "VERSION_CODENAME=trixie\nID=debian\n",
    "kali": 'PRETTY_NAME="Kali GNU/Linux Rolling"\nNAME="Kali GNU/Linux"\nVERSION_ID="2025.3"\nID=kali\n'
    "ID_LIKE=debian\nVERSION_CODENAME=kali-rolling\n",
    "ubuntu": 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
    "ID=ubuntu\nID_LIKE=debian\n",
    "mint": 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\nPRETTY_NAME="Linux Mint 22.2"\n',
    "fedora": 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=41\nPRETTY_NAME="Fedora Linux 41 (Workstation Edition)"\n',
    "rocky": 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nPRETTY_NAME="Rocky Linux 9.6"\n',
    "arch": 'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n',
    "alpine": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n',
    "leap": 'NAME="openSUSE Leap"\nID="opensuse-leap"\nID_LIKE="suse opensuse"\nPRETTY_NAME="openSUSE Leap 15.6"\n',
    "nixos": 'NAME=NixOS\nID=nixos\nPRETTY_NAME="NixOS 25.05 (Warbler)"\n',
    "nothing": "",
}
BUILD = "podman build -t kmodlab . && podman run --rm -p 127.0.0.1:8888:8888 -v kmodlab:/home/learner/kept kmodlab"


@pytest.mark.parametrize("name", ["debian", "kali"])
def test_debian_and_what_is_like_it_may_go_on(name: str) -> None:
    assert advice(parse_release(RELEASES[name])) is None
    assert parse_release(RELEASES[name]).tried == (name == "debian")


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("ubuntu", "sudo apt-get install podman"),
        ("mint", "sudo apt-get install podman"),
        ("fedora", "sudo dnf install podman"),
        ("rocky", "sudo dnf install podman"),
        ("arch", "sudo pacman -S podman"),
        ("alpine", "apk add podman, as root"),
        ("leap", "sudo zypper install podman"),
        ("nixos", "install podman"),
        ("nothing", "install podman"),
    ],
)
def test_another_distribution_is_told_what_to_do(name: str, install: str) -> None:
    found = advice(parse_release(RELEASES[name]))
    assert found
    assert found.mend == f"run it in a container: {install}; then, in a checkout: {BUILD}"


def test_windows_has_debian_too() -> None:
    found = advice(replace(parse_release(RELEASES["ubuntu"]), windows=True))
    assert found
    assert "wsl --install -d Debian" in found.mend
    assert advice(replace(parse_release(RELEASES["debian"]), windows=True)) is None


def test_what_is_not_linux() -> None:
    found = advice(replace(parse_release(""), kernel="Darwin"))
    assert found
    assert "docker build -t kmodlab . && docker run" in found.mend


def test_another_processor() -> None:
    found = advice(replace(parse_release(RELEASES["debian"]), machine="riscv64"))
    assert found
    assert "riscv64" in found.why


@given(st.text(alphabet="AZaz=_\"'\\\n #$ü\0") | st.text())
def test_any_text_is_read(text: str) -> None:
    assert parse_release(text).release


def test_this_system_is_read_once() -> None:
    assert this_system().machine == os.uname().machine
    assert this_system() is this_system()


def as_on(name: str, tmp_path: Path, *argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command where the system calls itself something else."""
    (tmp_path / "os-release").write_text(RELEASES[name])
    enter = [
        shutil.which("bwrap") or "",
        "--dev-bind",
        "/",
        "/",
        "--ro-bind",
        str(tmp_path / "os-release"),
        "/usr/lib/os-release",
        "--",
    ]
    if not enter[0] or subprocess.run([*enter, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    env = {**os.environ, "KMODLAB_CACHE": str(tmp_path / "cache"), **environment}
    return subprocess.run([*enter, *argv], env=env, capture_output=True, text=True, check=False)


@pytest.mark.checkout
@pytest.mark.parametrize("name", ["ubuntu", "fedora", "arch", "alpine", "leap"])
def test_lab_says_it_in_one_sentence(name: str, tmp_path: Path) -> None:
    top = checkout()
    assert top
    finished = as_on(name, tmp_path, top / "lab", "start")
    title = parse_release(RELEASES[name]).title
    assert finished.returncode == 3
    assert finished.stdout == ""
    assert finished.stderr.startswith(f"kmodlab: set up kmodlab on {title}: kernels and guest come out of Debian's")
    assert finished.stderr.endswith(f"{BUILD}\n")
    assert finished.stderr.count("\n") == 1
    assert not (tmp_path / "cache").exists()


@pytest.mark.checkout
@pytest.mark.parametrize(("name", "way"), [("debian", "apt-get install"), ("leap", "docs/containers.md")])
def test_lab_says_it_without_a_python(name: str, way: str, tmp_path: Path) -> None:
    top = checkout()
    assert top
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("sh", "dirname", "readlink", "true"):
        (programs / program).symlink_to(shutil.which(program) or program)
    finished = as_on(name, tmp_path, top / "lab", "doctor", PATH=str(programs))
    assert finished.returncode == 3
    assert finished.stderr.startswith("lab: no Python 3.11 or newer here; ")
    assert way in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_doctor_says_it_and_no_more(tmp_path: Path) -> None:
    finished = as_on("fedora", tmp_path, sys.executable, "-m", "kmodlab", "doctor")
    assert finished.returncode == 3
    first, second, third = finished.stdout.splitlines()
    assert first.startswith("ok      Python")
    assert second.startswith("MISSING system: Fedora Linux 41 (Workstation Edition): ")
    assert "sudo dnf install podman" in third


def test_doctor_says_what_was_not_tried(tmp_path: Path) -> None:
    finished = as_on("kali", tmp_path, sys.executable, "-m", "kmodlab", "doctor")
    assert "ok      system: Kali GNU/Linux Rolling (not Debian itself: not tried)\n" in finished.stdout


def test_a_verb_that_has_to_set_up_says_it(tmp_path: Path) -> None:
    finished = as_on("arch", tmp_path, sys.executable, "-m", "kmodlab", "tour")
    assert finished.returncode == 3
    assert finished.stderr.startswith("kmodlab: set up kmodlab on Arch Linux: ")
    assert "Traceback" not in finished.stderr
