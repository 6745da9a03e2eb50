# SPDX-License-Identifier: MIT
"""Every module of the lab on every kernel: the newest of each series that the machine's apt sources offer."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import HostSetupError
from kmodlab.host import kernels
from kmodlab.host.offers import newest, offers
from kmodlab.resources import resource
from kmodlab.verdict.trial import try_module
from tests.machine.test_trial import LAB, PARAMETERS

pytestmark = [pytest.mark.machine, pytest.mark.slow]

KNOWN = {"6.1", "6.12"}
"""The series that every module must be right on; of any newer one it is reported what does not go."""


def series(release: str) -> str:
    return ".".join(release.split(".")[:2])


@pytest.fixture(scope="module")
def table(frozen: KernelBuild) -> Iterator[dict[tuple[str, str], str]]:
    """Verdict by module and kernel; at the end it stands as a table in the cache, ``tests/kernels.md``."""
    found: dict[tuple[str, str], str] = {}
    yield found
    releases = sorted({release for _, release in found})
    lines = [f"| module | {' | '.join(releases)} |", "|---" * (1 + len(releases)) + "|"]
    for name in sorted({name for name, _ in found}):
        lines.append(f"| {name} | {' | '.join(found.get((name, release), '–') for release in releases)} |")
    place = kmodlab.settings().cache / "tests" / "kernels.md"
    place.parent.mkdir(exist_ok=True)
    place.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module", params=["default", "newest"])
def chosen(request: pytest.FixtureRequest, frozen: KernelBuild) -> KernelBuild:
    """A kernel: the default one, and the newest that is offered."""
    if request.param == "default":
        return frozen
    rows = [row for row in newest(offers()) if re.fullmatch(r"[^-]+-(\d+-)?amd64", row.release)]
    if rows[0].release == frozen.release:
        pytest.skip("the sources of this machine offer none that is newer")
    try:
        return kernels.ensure_kernel(rows[0].release)
    except HostSetupError as error:
        pytest.skip(f"no newer kernel: {error}")


@pytest.mark.parametrize("name", LAB)
def test_a_module_of_the_lab_on_a_kernel(chosen: KernelBuild, name: str, table: dict[tuple[str, str], str]) -> None:
    folder = resource("lab_modules") / name
    verdict = try_module(folder, PARAMETERS.get(name), kernel=chosen)
    expected = tomllib.loads((Path(folder) / "lab.toml").read_text())["expect"]
    table[name, chosen.release] = verdict.verdict if verdict.verdict == expected else f"**{verdict.verdict}**"
    if series(chosen.release) not in KNOWN and verdict.verdict != expected:
        pytest.xfail(f"on {chosen.release}, which is newer than what is promised: {verdict.title}")
    assert verdict.verdict == expected, str(verdict)
