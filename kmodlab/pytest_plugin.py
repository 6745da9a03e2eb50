# SPDX-License-Identifier: MIT
r"""A pytest plugin for the maintainers of modules: a fresh machine for each test, its kernel log where a test fails.

pytest finds it by itself wherever kmodlab is installed::

    def test_it_remembers(kmod_machine, kmod_build):
        kmod_machine.insmod(kmod_build("src/scribble"), size=64)
        assert kmod_machine.check("echo hello > /dev/scribble; cat /dev/scribble").stdout == "hello\n"

``pytest --kmod-kernel 6.1.0-56-amd64 --kmod-kernel 6.12.1-amd64`` runs each such test with either kernel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kmodlab.build.artifact import ModuleArtifact
    from kmodlab.build.kernel import KernelBuild
    from kmodlab.build.source import ModuleSource
    from kmodlab.machine.machine import Machine
    from kmodlab.records.report import Report

__all__ = ["kmod_build", "kmod_kernel", "kmod_machine"]

_MACHINE = pytest.StashKey["Machine"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names kernels."""
    group = parser.getgroup("kmodlab", "kernel modules")
    group.addoption(
        "--kmod-kernel", action="append", default=[], metavar="RELEASE",
        help="run the tests of kernel modules with this kernel; may be given several times",
    )  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each of the kernels."""
    releases = metafunc.config.getoption("kmod_kernel")
    if releases and "kmod_kernel" in metafunc.fixturenames:
        metafunc.parametrize("kmod_kernel", releases, indirect=True, scope="session")


@pytest.fixture(scope="session")
def kmod_kernel(request: pytest.FixtureRequest) -> KernelBuild:
    """The kernel that modules are built for and machines boot: that of ``--kmod-kernel``, or the lab's default one.

    It is fetched if it is not there.
    """
    from kmodlab.host.kernels import ensure_kernel

    return ensure_kernel(getattr(request, "param", None))


@pytest.fixture(scope="session")
def kmod_build(kmod_kernel: KernelBuild) -> Callable[[ModuleSource | str | Path], ModuleArtifact]:
    """A function that builds a module from a `kmodlab.ModuleSource`, a ``.c`` file or a folder.

    It raises `kmodlab.errors.BuildError` where the compiler or modpost do not take it.
    """
    import kmodlab

    return lambda source: kmodlab.build(source, kmod_kernel)


@pytest.fixture
def kmod_machine(request: pytest.FixtureRequest, kmod_kernel: KernelBuild) -> Iterator[Machine]:
    """A fresh `kmodlab.Machine`, thrown away after the test.

    The test fails at its end if the kernel has reported something, such as an oops, a warning or a hang, outside
    ``with kmod_machine.expect_oops()``.
    """
    from kmodlab.machine.machine import Machine

    class Watched(Machine):
        """A machine that knows which reports were wanted."""

        def __init__(self) -> None:
            super().__init__(kmod_kernel)
            self.wanted: set[str] = set()

        @contextlib.contextmanager
        def expect_oops(self) -> Iterator[list[Report]]:
            with super().expect_oops() as caught:
                yield caught
            self.wanted |= {report.title for report in caught}

    with Watched() as vm:
        request.node.stash[_MACHINE] = vm
        yield vm
        reports = [report for report in vm.reports() if report.title not in vm.wanted]
        if reports:
            pytest.fail(f"the kernel reported: {'; '.join(map(_words, reports))}", pytrace=False)


def _words(report: Report) -> str:
    return f"{report.title} ({report.where})" if report.where else report.title


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the kernel's log into the report of a test that failed."""
    report = yield
    machine = item.stash.get(_MACHINE, None)
    if machine is not None and report.failed:
        report.sections.append(("Kernel log", str(machine.dmesg())))
    return report
