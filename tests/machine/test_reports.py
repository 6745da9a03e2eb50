# SPDX-License-Identifier: MIT
"""Reports of a running kernel, with the lines of the module that was built for it."""

from __future__ import annotations

import pytest

import kmodlab
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import KernelOops
from kmodlab.resources import resource

pytestmark = pytest.mark.machine

CELL = """#include <linux/module.h>
#include <linux/slab.h>

static int *value;

static inline void put(int *where, int what)
{
	WRITE_ONCE(*where, what);
}

static noinline void fill(void)
{
	put(value, 7);
	pr_info("filled\\n");
}

static int __init start(void)
{
	WARN_ON(!value);
	fill();
	return 0;
}
module_init(start);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("For a test");
"""


def line(words: str) -> int:
    return next(number for number, text in enumerate(CELL.split("\n"), 1) if words in text)


def test_an_oops_of_a_cell_names_its_own_line(frozen: KernelBuild) -> None:
    built = kmodlab.build(kmodlab.ModuleSource.from_text("filler", CELL, first_line=11), frozen)
    with kmodlab.Machine(frozen) as vm:
        with pytest.raises(KernelOops, match=r"NULL pointer dereference in fill at .*:18") as caught:
            vm.insmod(built)
        report = caught.value.report
        assert report is not None
        assert report.where is not None
        assert (report.where.line, report.where.function) == (line("WRITE_ONCE") + 10, "put")
        assert report.where.source == "WRITE_ONCE(*where, what);"
        assert dict(report.where.around)[report.where.line].strip() == report.where.source
        own = [frame.line for frame in report.trace if frame.module == "filler" and frame.reliable]
        assert own == [line("WRITE_ONCE") + 10, line("put(value") + 10, line("\tfill();") + 10]
        assert [one.title for one in vm.reports()] == ["WARNING in start", "NULL pointer dereference in fill"]
        assert [one.oops for one in vm.reports()] == [False, True]
        assert "where" in vm.reports()._repr_html_()
        vm.reset()
        assert vm.reports() == ()


def test_a_warning_is_no_error(frozen: KernelBuild) -> None:
    built = kmodlab.build(
        kmodlab.ModuleSource.from_text("warner", CELL.replace("\tfill();\n", "\tif (value)\n\t\tfill();\n")), frozen
    )
    with kmodlab.Machine(frozen) as vm:
        assert vm.insmod(built).name == "warner"
        (report,) = vm.reports()
        assert (report.title, report.oops) == ("WARNING in start", False)
        assert report.where is not None
        assert report.where.line == line("WARN_ON")


def test_a_panic_is_read_after_the_end(frozen: KernelBuild) -> None:
    built = kmodlab.build(
        kmodlab.ModuleSource.from_text("quitter", CELL.replace("\tfill();\n", '\tpanic("enough of %d", 3);\n')), frozen
    )
    with kmodlab.Machine(frozen) as vm:
        with vm.expect_oops() as caught:
            vm.insmod(built)
        assert caught[-1].title == "kernel panic: enough of 3"
        assert caught[-1].deadly
        assert caught[-1].where is not None
        assert caught[-1].where.line == line("\tfill();")


def test_a_module_without_its_source_has_lines_too(frozen: KernelBuild, tmp_path: object) -> None:
    built = kmodlab.build(resource("tests") / "data" / "reports" / "faulty", frozen)
    with kmodlab.Machine(frozen) as vm:
        vm.insmod(built.path)
        with vm.expect_oops() as caught:
            vm.run("echo bug > /proc/faulty")
        assert caught[0].title == "kernel BUG in bug"
        assert caught[0].where is not None
        assert caught[0].where.file == "faulty_memory.c"
        assert caught[0].where.source == ""
