# SPDX-License-Identifier: MIT
"""The functions of a loaded module, traced while a command runs: who calls whom, and how long it takes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kmodlab.errors import MachineError, MachineLost, UsageError
from kmodlab.machine.probes import TRACING
from kmodlab.progress import step
from kmodlab.records.functions import FunctionTrace, parse_functions

if TYPE_CHECKING:
    from kmodlab.machine.machine import Machine

__all__ = ["trace_functions"]

_BUFFER_KB = 4096
_READ_LIMIT = 128 << 20

# The tracer first: its options exist only while it is chosen. And the filter before it: without one it traces all.
_BEGIN = f"""set -e; cd {TRACING}
read -r tracer < current_tracer
if [ "$tracer" != nop ]; then echo "the tracer $tracer is in use; echo nop > {TRACING}/current_tracer" >&2; exit 1; fi
echo 0 > tracing_on
: > set_ftrace_filter
for module; do echo ":mod:$module" >> set_ftrace_filter; done
if grep -q 'all functions enabled' set_ftrace_filter; then echo "it has no function to trace" >&2; exit 1; fi
echo {_BUFFER_KB} > buffer_size_kb
echo function_graph > current_tracer
for option in funcgraph-abstime funcgraph-proc nofuncgraph-overhead; do echo $option > trace_options; done
echo 1 > tracing_on
"""
_END = f"""cd {TRACING}
for option in nofuncgraph-abstime nofuncgraph-proc funcgraph-overhead; do echo $option > trace_options; done
echo nop > current_tracer; : > set_ftrace_filter; : > trace; echo 1 > tracing_on
"""


def trace_functions(
    vm: Machine, modules: Sequence[str], command: str | Sequence[str], timeout: float | None
) -> FunctionTrace:
    """Run a command and return what the functions of these modules did meanwhile, whoever called them.

    It takes the kernel's one buffer for tracers, so what a trace of one's own had in it is gone. The tracer itself
    takes time at each call, about a microsecond on an emulated processor: short functions look longer than they are.

    Raises:
        UsageError: a module is not loaded.
        CommandError: the command ended with a status other than 0.
        MachineError: this kernel cannot trace functions, or somebody traces already.
    """
    names = [name.replace("-", "_") for name in modules]
    loaded = {row.name for row in vm.lsmod()}
    for name in names:
        if name not in loaded:
            raise UsageError(f"trace functions of {name}: it is not loaded; load it first")
    begun = vm.run(["bash", "-c", _BEGIN, "bash", *names])
    if begun.exit_status:
        said = (begun.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise MachineError(f"trace functions of {', '.join(names)}: {said}")
    try:
        with step(f"Tracing the functions of {', '.join(names)}"):
            vm.check(command, timeout)
        vm.check(f"echo 0 > {TRACING}/tracing_on")
        return _read(vm, names)
    finally:
        with contextlib.suppress(MachineLost, MachineError):
            vm.run(_END)


def _read(vm: Machine, names: Sequence[str]) -> FunctionTrace:
    with vm._talking() as session:
        done = session.task(["@read", f"{TRACING}/trace"], timeout=60, limit=_READ_LIMIT, cwd="/")
        stats = session.snapshot([f"{TRACING}/per_cpu/cpu*/stats"])
    counts = (re.findall(rb"^(?:overrun|dropped events): (\d+)", text, re.M) for text in stats.values())
    lost = sum(int(count) for found in counts for count in found)
    return parse_functions(done.stdout.decode(errors="replace"), names, lost)
