# SPDX-License-Identifier: MIT
"""The Dockerfile's steps, taken in a bare Debian; then what they made, without a network and without namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from tests.containers.dockerfile import TOP, read
from tests.containers.room import Room, built
from tests.parts import needs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.checkout,
    pytest.mark.notebook,
    pytest.mark.machine,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a root"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="what is refused is known by its numbers on x86-64"),
]


@pytest.fixture(scope="module")
def container() -> Iterator[Room]:
    """What the Dockerfile makes, with the user that it names."""
    with needs("tools"):
        place = Path(tempfile.mkdtemp(prefix="containers-", dir=kmodlab.settings().cache))
        try:
            yield built(read((TOP / "Dockerfile").read_text()), place)
        finally:
            shutil.rmtree(place)


def test_the_room_is_as_narrow_as_a_container(container: Room) -> None:
    assert container.run("id", "-u") == "1000\n"
    reach = "import socket; socket.create_connection(('192.0.2.1', 9), 1)"
    for argv, why in ((["unshare", "--user", "true"], "not permitted"), (["python3", "-c", reach], "unreachable")):
        with pytest.raises(AssertionError, match=why):
            container.run(*argv)


def test_a_try_without_network_and_namespaces(container: Room) -> None:
    assert "hello: CLEAN" in container.run("kmodlab", "try", "lab_modules/hello")
    assert "compile sandbox: Landlock" in container.run("kmodlab", "doctor")


def test_a_try_of_what_was_never_built(container: Room) -> None:
    container.run("kmodlab", "new", "fresh", "--kind", "char")
    assert "CLEAN" in container.run("kmodlab", "try", "fresh")


def test_the_tour(container: Room) -> None:
    page = container.run("kmodlab", "tour").strip().rpartition("\n")[2]
    assert "<img" in (container.root / page.lstrip("/")).read_text()


def fetch(pid: int, url: str) -> str:
    """What a server inside answers; 127.0.0.2 leads to one that listens on every address, and to no other."""
    code = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=60).read().decode())"
    argv = ["nsenter", "--net", f"--target={pid}", "python3", "-I", "-c", code, url.replace("127.0.0.1", "127.0.0.2")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def address(server: subprocess.Popen[str]) -> str:
    """The address that a server prints once it listens."""
    leash = threading.Timer(180, server.kill)
    leash.start()
    said = []
    try:
        for line in server.stdout or ():
            said.append(line)
            if line.startswith("http://"):
                return line.strip()
    finally:
        leash.cancel()
    pytest.fail("".join(said))


def test_jupyterlab_is_there_on_its_port(container: Room) -> None:
    with container.entered(container.start, network=False) as server:
        base, _, rest = address(server).partition("/lab")
        token = rest.rpartition("?")[2]
        (inside,) = map(int, Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split())
        assert base == "http://127.0.0.1:8888"
        assert "JupyterLab" in fetch(inside, f"{base}/lab?{token}")
        assert "00_tour.ipynb" in fetch(inside, f"{base}/api/contents/notebooks?{token}")
        assert "403" in fetch(inside, f"{base}/api/contents/notebooks")


def test_another_jupyter_server_finds_kmodlab(container: Room) -> None:
    """As Binder starts one: by the Python and the programs that come first on the path."""
    container.run("python3", "-c", "import jupyterlab, kmodlab")
    listed = container.run("sh", "-c", "jupyter-labextension list 2>&1")
    assert "kmodlab" in listed
    assert "enabled" in next(line for line in listed.splitlines() if "kmodlab v" in line)
