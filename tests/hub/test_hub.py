# SPDX-License-Identifier: MIT
"""A real JupyterHub with two users, by ``.ci/hub``: as configured, and with nothing that keeps them apart."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.host.packages import TEST_PACKAGES
from kmodlab.resources import checkout
from tests.parts import needs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.checkout,
    pytest.mark.machine,
    pytest.mark.build,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users"),
]

WORKS = {
    "has a module in a machine",
    "reads its words",
    "takes the shared kernel",
    "has a cache of its own",
    "sees the course's index",
    "has a machine that rests when nobody talks to it",
}
APART = {
    "sees none of the other's processes",
    "sees no machine but its own",
    "reads none of the other's files",
    "sees no temporary file of the other's",
    "sees no shared memory of the other's",
    "reaches no Jupyter kernel of the other's",
    "does not get past the proxy to the other's server",
    "writes nothing into the shared cache",
    "can become nobody else",
    "has no debugger that listens on a port",
    "does not use the other's server",
    "does not look the other up",
}
ENDS, GOES_ON = "leaves no process when its server is stopped", "goes on with its machine"
PLACE = "serves nothing in another's place"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where JupyterHub and its proxy are installed: that of HUB_PLACE, where they may be already, or a new folder."""
    with needs("hub"):
        for missing in (package for package in TEST_PACKAGES if package.part == "hub" and not package.found()):
            raise HostSetupError(f"run JupyterHub: {missing.name} is not installed; apt-get install {missing.name}")
    if given := os.environ.get("HUB_PLACE"):
        yield Path(given)
        return
    made = Path(tempfile.mkdtemp(dir="/opt"))
    yield made
    shutil.rmtree(made)


def trial(place: Path, *arguments: str) -> tuple[int, dict[str, dict[str, set[str]]]]:
    """Run ``.ci/hub``; return its status, and for each user what holds and what fails."""
    environment = {**os.environ, "HUB_PLACE": str(place), "KMODLAB_CACHE": str(settings().cache)}
    argv = [f"{checkout()}/.ci/hub", *arguments]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for user, how, what in re.findall(r"^(\w+): (holds|FAILS): ([^:\n]+)", done.stdout, re.MULTILINE):
        found[user][how].add(what)
    return done.returncode, found


def test_two_users_work_and_neither_sees_the_other(frozen: KernelBuild, place: Path) -> None:
    status, found = trial(place)
    assert status == 0
    assert found == {"anna": {"holds": WORKS | APART | {ENDS}}, "ben": {"holds": WORKS | APART | {GOES_ON, PLACE}}}
    homes, users = Path("/home"), Path("/etc/passwd").read_text()
    assert not [name for name in ("anna", "ben", "carl") if (homes / name).exists() or f"{name}:" in users]


def test_every_check_fails_where_nothing_keeps_them_apart(frozen: KernelBuild, place: Path) -> None:
    status, found = trial(place, "--open")
    assert status == 4
    assert found == {
        "anna": {"holds": WORKS, "FAILS": APART | {ENDS}},
        "ben": {"holds": WORKS | {GOES_ON}, "FAILS": APART | {PLACE}},
    }
