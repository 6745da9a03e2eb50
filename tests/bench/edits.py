# SPDX-License-Identifier: MIT
"""Figures of the way from an edited line of C to what the kernel says to it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

from machines import await_spare, cold_boot, frozen_machine, pooled_machine
from measure import Row, row, seconds_of

import kmodlab
from kmodlab.build.build import build
from kmodlab.build.kbuild import ENVIRONMENT, kbuild
from kmodlab.build.kernel import KernelBuild
from kmodlab.build.recipe import named, recipe
from kmodlab.build.sandbox import WORK, Job, choose
from kmodlab.build.source import ModuleSource
from kmodlab.guest.session import Session
from kmodlab.machine.emulator import Emulator
from kmodlab.machine.pool import ahead

__all__ = ["build_cached", "build_time", "edit_to_log", "edit_to_log_pooled", "edited"]

_RUNS = 9
_TEXT = """\
// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init edited_init(void)
{
	pr_info("said %s\\n");
	return 0;
}

static void __exit edited_exit(void)
{
}

module_init(edited_init);
module_exit(edited_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A line that is edited");
"""
_numbers = itertools.count(time.time_ns())


def edited() -> tuple[ModuleSource, str]:
    """Return a module that was never built before, though its includes were, and the words that it logs."""
    words = f"number {next(_numbers)}"
    return ModuleSource.from_text("edited", _TEXT % words), words


def edit_to_log() -> Iterator[Row]:
    """An edited module of one file until its line is in Python, in a fresh machine; beside make and a cold boot."""
    template = frozen_machine()
    kernel = template.kernel
    first = seconds_of(lambda: build(edited()[0], kernel))
    fresh, cold = [], []
    for number in range(_RUNS):
        vm = kmodlab.Machine(kernel)

        def once(vm: kmodlab.Machine = vm) -> None:
            source, words = edited()
            with ahead(kernel):
                built = build(source, kernel)
                vm.start().insmod(built)
            assert vm.dmesg().containing(words)

        fresh.append(seconds_of(once))
        vm.kill()
        if number % 3 == 0:
            cold.append(seconds_of(lambda: cold_boot(template, _load_by_make(kernel))))
    note = f"the first build with these includes took {first:.2f} s"
    yield row("edit_to_log", "s", 0.5, fresh, peer="make + cold boot", peer_values=cold, note=note)


def edit_to_log_pooled() -> Iterator[Row]:
    """The same where a spare machine is ready, as in a notebook whose machine is reset every now and then."""
    template = frozen_machine()
    build(edited()[0], template.kernel)
    runs = []
    with pooled_machine(template) as vm:
        for _ in range(_RUNS):
            await_spare(template)
            vm.kill()

            def once() -> None:
                source, words = edited()
                built = build(source, template.kernel)
                vm.start().insmod(built)
                assert vm.dmesg().containing(words)

            runs.append(seconds_of(once))
    yield row("edit_to_log_pooled", "s", 0.3, runs)


def _load_by_make(kernel: KernelBuild) -> Callable[[Emulator, Session], None]:
    source, words = edited()
    made = kbuild(source, kernel, timeout=120)

    def load(emulator: Emulator, session: Session) -> None:
        assert session.push_and_load(made.files["edited.ko"], "/root/edited.ko").ok
        while not any(words in record.text for record in emulator.console.since()):
            pass

    return load


def build_time() -> Iterator[Row]:
    """A build whose leading includes were compiled before, beside ``gcc -c`` alone with the flags of kbuild."""
    kernel = frozen_machine().kernel
    build(edited()[0], kernel)
    quick, bare, made = [], [], []
    for number in range(_RUNS):
        source, _ = edited()
        quick.append(seconds_of(lambda source=source: build(source, kernel)))  # type: ignore[misc]
        bare.append(seconds_of(lambda source=source: _bare_gcc(source, kernel)))  # type: ignore[misc]
        if number % 3 == 0:
            made.append(seconds_of(lambda source=source: kbuild(source, kernel, timeout=120)))  # type: ignore[misc]
    note = f"make: {sorted(made)[len(made) // 2]:.2f} s"
    yield row("build", "s", 0.2, quick, peer="bare gcc -c", peer_values=bare, note=note)


def _bare_gcc(source: ModuleSource, kernel: KernelBuild) -> None:
    chosen = kmodlab.settings()
    general = recipe(kernel, chosen.cache, chosen.build_timeout)
    assert general is not None
    begin = [word for path in general.begin for word in ("-include", path)]
    argv = (
        *named(general.compile, source.name),
        *begin,
        "-c",
        "-o",
        f"{WORK}/{source.name}.o",
        f"{WORK}/{source.name}.c",
    )
    job = Job(
        title="gcc",
        argv=("env", "-C", str(kernel.headers), *argv),
        files=dict(source.files),
        results=(f"{source.name}.o",),
        binds=kernel.header_binds,
        env=ENVIRONMENT,
        narrow=True,
    )
    assert choose().run(job).exit_status == 0


def build_cached() -> Iterator[Row]:
    """The build of what was built before."""
    kernel = frozen_machine().kernel
    source, _ = edited()
    build(source, kernel)
    yield row("build_cached", "s", 0.02, [seconds_of(lambda: build(source, kernel)) for _ in range(2 * _RUNS)])
