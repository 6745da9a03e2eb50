# SPDX-License-Identifier: MIT
"""What the quick way makes of several files and of exported symbols, in a running kernel beside what kbuild makes."""

from __future__ import annotations

from pathlib import Path

import pytest

import kmodlab
from kmodlab.build.kbuild import kbuild
from kmodlab.build.kernel import KernelBuild
from tests.build.test_fast_shapes import BLOCK, CALLS, DECLARES, ENTRY, EXPORTS, SHAPES, both_ways, source_of

pytestmark = [pytest.mark.machine, pytest.mark.build]


@pytest.mark.parametrize("shape", ["exports", "several", "several that export", "several with devices"])
def test_either_is_loaded(machine: kmodlab.Machine, kernel: KernelBuild, tmp_path: Path, shape: str) -> None:
    told = []
    for made in both_ways(kernel, source_of(tmp_path / "shape", SHAPES[shape])):
        machine.push(made.files["shape.ko"], "shape.ko")
        mark = machine.log_mark()
        machine.check("insmod shape.ko && rmmod shape")
        texts = [record.text for record in machine.dmesg(since=mark)]  # the kernel's own on the first load among them
        told.append([text for text in texts if text.endswith(": ends") or "begins with" in text])
    assert told[0] == told[1]
    assert len(told[0]) == 2


def test_the_kernel_takes_its_checksums(machine: kmodlab.Machine, kernel: KernelBuild, tmp_path: Path) -> None:
    """Who uses a symbol notes its checksum, and the kernel compares: here with one that kbuild has noted."""
    files = {"main.c": CALLS, "shape.h": DECLARES, "other.c": f'{BLOCK}#include "shape.h"\n{EXPORTS}'}
    parts = "shape-y := main.o other.o\n"
    quick, _ = both_ways(kernel, source_of(tmp_path / "shape", {**files, "Kbuild": f"obj-m := shape.o\n{parts}"}))
    user = f'{BLOCK}#include "shape.h"\n{ENTRY.format(call="shape_one(NULL) + (int)shape_table[2]")}'
    both = source_of(tmp_path / "both", {**files, "user.c": user, "Kbuild": f"obj-m := shape.o user.o\n{parts}"})
    machine.push(quick.files["shape.ko"], "shape.ko")
    machine.push(kbuild(both, kernel, timeout=100).files["user.ko"], "user.ko")
    machine.check("insmod shape.ko && insmod user.ko")
    assert machine.dmesg().containing("user: user: begins with 4")
