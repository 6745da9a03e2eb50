# SPDX-License-Identifier: MIT
"""Every module of the lab on several kernels: the release's own, its backports' newest, the newest there is at hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from functools import cache as once

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import HostSetupError
from kmodlab.host import kernels
from kmodlab.host.offers import Offer, archive_of, newest, offers
from kmodlab.host.state import locked
from kmodlab.resources import resource
from kmodlab.verdict.trial import try_module
from tests.machine.test_trial import LAB, PARAMETERS

pytestmark = [pytest.mark.machine, pytest.mark.slow]

KNOWN = {"6.1", "6.12", "7.3"}
"""The series that every module must be right on; of any newer one it is reported what does not go."""


def series(release: str) -> str:
    return ".".join(release.split(".")[:2])


@once
def offered() -> tuple[Offer, ...]:
    """The stock kernels of this machine's sources and of its release's backports, the newest of each series."""
    rows = newest(offers(("backports",)))
    return tuple(row for row in rows if row.release.endswith("-amd64") and "-cloud-" not in row.release
                 and "-rt-" not in row.release and "-unsigned" not in row.release)  # fmt: skip


def which(wish: str, default: KernelBuild) -> KernelBuild:
    """The kernel of a wish, fetched if it is not there; the test is skipped where there is none."""
    if wish == "default":
        return default
    backports = [row for row in offered() if row.source.endswith("-backports")]
    own = [row for row in offered() if row not in backports]
    rows = {"backports": [row for row in backports if series(row.release) in KNOWN] or backports, "newest": own}[wish]
    if not rows or rows[0].release == default.release:
        pytest.skip(f"{wish}: nothing is offered here that is newer than {default.release}")
    try:
        return kernels.ensure_kernel(rows[0].release, archive_of("backports" if wish == "backports" else None))
    except HostSetupError as error:
        pytest.skip(f"{wish}: {error}")


@pytest.fixture(scope="module", params=["default", "backports", "newest"])
def chosen(request: pytest.FixtureRequest, frozen: KernelBuild) -> KernelBuild:
    """A kernel."""
    return which(request.param, frozen)


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, dict[str, str]]]:
    """Verdict by kernel and module; at the end they stand as a table in the cache, ``tests/kernels.md``.

    The tests may be shared among several processes, so each adds to what is there.
    """
    found: dict[str, dict[str, str]] = {}
    yield found
    folder = kmodlab.settings().cache / "tests"
    folder.mkdir(exist_ok=True)
    with locked(folder / "kernels.lock", "writing the table of kernels"):
        kept = folder / "kernels.json"
        verdicts = json.loads(kept.read_text()) if kept.exists() else {}
        for release, row in found.items():
            verdicts[release] = {name: words for name, words in verdicts.get(release, {}).items() if name in LAB} | row
        kept.write_text(json.dumps(verdicts, indent=1))
        (folder / "kernels.md").write_text(as_table(verdicts))


def as_table(verdicts: dict[str, dict[str, str]]) -> str:
    releases = sorted(verdicts, key=lambda release: [int(part) for part in series(release).split(".")])
    lines = [f"| module | {' | '.join(releases)} |", "|---" * (1 + len(releases)) + "|"]
    for name in LAB:
        lines.append(f"| {name} | {' | '.join(verdicts[release].get(name, '–') for release in releases)} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", LAB)
def test_a_module_of_the_lab_on_a_kernel(chosen: KernelBuild, name: str, table: dict[str, dict[str, str]]) -> None:
    folder = resource("lab_modules") / name
    verdict = try_module(folder, PARAMETERS.get(name), kernel=chosen)
    expected = tomllib.loads((folder / "lab.toml").read_text())["expect"]
    fits = verdict.verdict == expected
    table.setdefault(chosen.release, {})[name] = verdict.verdict if fits else f"**{verdict.verdict}**"
    if series(chosen.release) not in KNOWN and not fits:
        pytest.xfail(f"on {chosen.release}, which is newer than what is promised: {verdict.title}")
    assert fits, str(verdict)
