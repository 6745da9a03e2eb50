# SPDX-License-Identifier: MIT
"""Capture the kernel's reports of the module in ``faulty`` anew: ``python capture.py FOLDER [NAME…]``.

Each fault gets a machine of its own. What is written is the kernel's log from the loading on, as a console shows it.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import kmodlab
from kmodlab.build.artifact import ModuleArtifact
from kmodlab.errors import KmodlabError
from kmodlab.records.kmsg import KmsgRecord

HERE = Path(__file__).parent
SLOW = {
    "loop": "soft lockup - CPU.*[\\s\\S]*entry_SYSCALL",
    "deadlock": "soft lockup - CPU.*[\\s\\S]*entry_SYSCALL",
    "rcu-loop": "rcu.*stall[\\s\\S]*entry_SYSCALL",
    "wait": "blocked for more than[\\s\\S]*entry_SYSCALL",
    "timer": "end Kernel panic",
    "thread": "end trace[\\s\\S]*CR2",
}
SETTINGS = (
    "echo 2 > /proc/sys/kernel/watchdog_thresh; echo 2 > /proc/sys/kernel/hung_task_timeout_secs; "
    "echo 3 > /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout; exit 0"
)


def names() -> list[str]:
    """Return all faults, those that the tables of the sources name and those of init and exit."""
    found = [
        name for file in HERE.glob("faulty/*.c") for name in re.findall(r'\{ "([\w-]+)", \w+ \}', file.read_text())
    ]
    return [*sorted(found), "init-null", "init-warn", "exit-warn"]


def capture(module: ModuleArtifact, name: str) -> list[KmsgRecord]:
    """Cause one fault and return what the kernel said."""
    early = name.startswith(("init-", "exit-"))
    with kmodlab.Machine() as vm:
        try:
            vm.check(SETTINGS)
            vm.insmod(module, start=name if early else "none")
            if name == "exit-warn":
                vm.rmmod("faulty")
            if not early:
                vm.run(f"echo {name} > /proc/faulty", timeout=3 if name in SLOW else 10)
        except KmodlabError as error:
            print(f"{name}: {type(error).__name__}", file=sys.stderr)
        deadline = time.monotonic() + 25
        while name in SLOW and not re.search(SLOW[name], vm.dmesg().text()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return list(vm.dmesg())


def main(folder: Path, wanted: list[str]) -> None:
    """Write ``NAME.log`` for each fault."""
    module = kmodlab.build(kmodlab.ModuleSource.from_path(HERE / "faulty"))
    (folder / "faulty.ko").write_bytes(module.path.read_bytes())
    for name in wanted or names():
        lines = [f"<{one.level + 8 * one.facility}>[{one.seconds:12.6f}] {one.text}\n" for one in capture(module, name)]
        (folder / f"{name}.log").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
