# SPDX-License-Identifier: MIT
"""``test``: the set-up, then the test suite."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from kmodlab import process
from kmodlab.cli.environment import child_environment
from kmodlab.cli.stages import make_stages
from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.host import packages
from kmodlab.resources import checkout, resource

__all__ = ["command"]

_LIBRARIES = {"hypothesis": "hypothesis", "pytest-xdist": "xdist"}  # that the tests import, by their modules
_MOST_WORKERS = 4  # each holds a frozen machine's memory and runs machines of two processors
_IN_ONE_PROCESS = {"--last-failed", "--lf", "--pdb", "-s", "-x", "-n", "-k", "--collect-only", "--co"}
# pytest's exit statuses 0 to 5 in the words of this command: passed, failed, interrupted, internal error, wrong usage,
# nothing collected.
_STATUSES = {0: 0, 1: 1, 2: 130, 3: 3, 4: 2, 5: 2}


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--full", is_flag=True, help="Also what takes long.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(full: bool, arguments: tuple[str, ...]) -> int:
    """Run the tests; further arguments are pytest's.

    Where this host lacks a part, its tests are skipped; KMODLAB_REQUIRE=machine,notebook,build,browser,tools makes them
    fail, and fetches the browser.
    """
    _need_libraries()
    make_stages()
    _require_packages(os.environ.get("KMODLAB_REQUIRE", "").split(","))
    top = resource("tests").parent
    argv = [sys.executable, "-m", "pytest", *(["-m", ""] if full else []), *_side_by_side(arguments)]
    environment = child_environment()
    if checkout() is None:
        # Where kmodlab is installed nothing is written.
        own = settings().cache / "tests"
        argv += ["-o", f"cache_dir={own / 'pytest'}"]
        environment |= {"HYPOTHESIS_STORAGE_DIRECTORY": str(own / "hypothesis"), "PYTHONDONTWRITEBYTECODE": "1"}
    argv += map(_from_top, arguments)
    return _STATUSES.get(process.attached(argv, cwd=top, env=environment), 3)


def _require_packages(parts: Sequence[str]) -> None:
    """Install what only tests need, of the parts that they must not be without."""
    missing = [package for package in packages.TEST_PACKAGES if package.part in parts and not package.found()]
    rights = packages.privilege() if missing else None
    if rights is not None:
        packages.install(missing, rights)


def _need_libraries() -> None:
    missing = [name for name, module in _LIBRARIES.items() if find_spec(module) is None]
    if missing:
        raise HostSetupError(f"run the tests: {', '.join(missing)} not installed; pip install 'kmodlab[test]'")


def _side_by_side(arguments: Sequence[str]) -> list[str]:
    """Options that share all the tests among the processors; what was chosen by hand runs in one process.

    Each process begins with a run of neighbouring files, whose tests share machines, and helps the others at the end.
    """
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    chosen = any(word in _IN_ONE_PROCESS or not word.startswith("-") for word in arguments)
    return [] if workers < 2 or chosen else ["-n", str(workers), "--dist", "worksteal"]


def _from_top(word: str) -> str:
    """Make a path absolute, since the tests run in the folder that holds them."""
    path = Path(word.partition("::")[0])
    meant = word and not word.startswith("-") and path.exists()
    return str(path.absolute()) + word[len(str(path)) :] if meant else word
