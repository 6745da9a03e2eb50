# SPDX-License-Identifier: MIT
"""Figures of many machines on one computer: a classroom, a stampede, and what each machine more costs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from machines import frozen_machine, private_megabytes
from measure import Row, row, seconds_of

import kmodlab
from kmodlab.machine.pulse import threads
from kmodlab.resources import resource

__all__ = ["crowd", "learners", "stampede"]

_LEARNERS = 30
_MINUTE = 60.0
_SIZES = (1, 10, 30, 100)
_REST = 5.0

# One learner: a process of its own, as a notebook is. It says "ready", waits for a line, and prints its figures.
_LEARNER = """
import json, random, sys, time
sys.path.insert(0, sys.argv[2])
from edits import edited
import kmodlab
from kmodlab.build.build import build
from kmodlab.host.kernels import default_kernel
kernel = default_kernel()
vm = kmodlab.Machine(kernel)
if sys.argv[1] == "start":
    from kmodlab.machine import provision
    provision.template(kernel, kmodlab.settings().memory, kmodlab.settings().cpus).memory()
else:
    vm.start()
print("ready", flush=True)
sys.stdin.readline()
begin, took = time.monotonic(), []
if sys.argv[1] == "start":
    vm.start().check(["true"])
    took.append(time.monotonic() - begin)
    print("there", flush=True)
    sys.stdin.readline()
else:
    end, loaded = begin + float(sys.argv[1]), False
    while True:
        time.sleep(random.uniform(4, 12))
        source, words = edited()
        start = time.monotonic()
        if start > end:
            break
        built = build(source, kernel)
        if loaded:
            vm.rmmod("edited")
        vm.insmod(built)
        loaded = True
        assert vm.dmesg().containing(words)
        took.append(time.monotonic() - start)
vm.kill()
print(json.dumps(took), flush=True)
"""


def _class(task: str, number: int) -> list[float]:
    """Let so many learners do something at the same time, and return all their figures."""
    argv = [sys.executable, "-c", _LEARNER, task, os.path.dirname(__file__)]  # noqa: PTH120
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        all_ = [stack.enter_context(subprocess.Popen(argv, **pipes)) for _ in range(number)]  # type: ignore[call-overload]
        try:
            for word in ("ready", "there") if task == "start" else ("ready",):
                for one in all_:
                    assert one.stdout.readline() == f"{word}\n"
                for one in all_:
                    one.stdin.write("go\n")
                    one.stdin.flush()
            return [figure for one in all_ for figure in json.loads(one.stdout.readline())]
        finally:
            for one in all_:
                one.stdin.close()


def learners() -> Iterator[Row]:
    """Thirty learners, each with a machine and an edit every eight seconds: from the edit to its line in Python."""
    frozen_machine()
    alone = _class(str(_MINUTE / 2), 1)
    took = sorted(_class(str(_MINUTE), _LEARNERS))
    note = f"{len(took)} edits in {_MINUTE:.0f} s, median {statistics.median(took):.2f} s, longest {took[-1]:.2f} s"
    value = [took[int(0.95 * (len(took) - 1))]]
    yield row("learners_30_p95", "s", 2.0, value, peer="one learner alone", peer_values=alone, note=note)


def stampede() -> Iterator[Row]:
    """Thirty processes that want their machine in the same moment: until the last one's first command is answered."""
    frozen_machine()
    alone = [figure for _ in range(3) for figure in _class("start", 1)]
    took = sorted(_class("start", _LEARNERS))
    note = f"the first after {took[0]:.2f} s, half of them after {statistics.median(took):.2f} s"
    yield row("stampede_30", "s", None, [took[-1]], peer="one alone", peer_values=alone, note=note)


def crowd() -> Iterator[Row]:
    """What one machine more costs among 1, 10, 30 and 100: its start, its memory, and its idle processor time."""
    kernel = frozen_machine().kernel
    hello = kmodlab.build(resource("lab_modules") / "hello", kernel)
    machines: list[kmodlab.Machine] = []
    try:
        for size in _SIZES:
            while len(machines) < size - 1:
                machines.append(kmodlab.Machine(kernel).start())
                machines[-1].insmod(hello)
            machines.append(kmodlab.Machine(kernel))
            start = seconds_of(lambda: machines[-1].start().check(["true"]))
            machines[-1].insmod(hello)
            answers = [seconds_of(lambda vm=vm: vm.check(["true"])) for vm in machines[-10:]]  # type: ignore[misc]
            memory = sum(private_megabytes(vm.pid) for vm in machines)
            idle = _share_of_a_processor(machines)
            for vm in machines:
                vm.pause()
            paused = _share_of_a_processor(machines)
            for vm in machines:
                vm.resume()
            note = (
                f"{memory / size:.0f} MB each, a command in {statistics.median(answers) * 1000:.0f} ms; "
                f"doing nothing all take {idle:.1%} of a processor, stopped {paused:.1%}"
            )
            yield row(f"crowd_{size}", "s", None, [start], note=note)
    finally:
        for vm in machines:
            vm.kill()


def _share_of_a_processor(machines: list[kmodlab.Machine]) -> float:
    def used() -> float:
        return sum(thread.running for vm in machines for thread in threads(vm.pid or 0).values())

    before = used()
    time.sleep(_REST)
    return (used() - before) / _REST
