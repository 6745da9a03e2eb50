# SPDX-License-Identifier: MIT
"""Draw the README's pictures from a real machine: ``./lab python docs/pictures.py``."""

from __future__ import annotations

from pathlib import Path

import kmodlab
from kmodlab.resources import resource

HERE = Path(__file__).parent


def main() -> None:
    """Load the lab's modules and btrfs, and draw what they hold and lean on."""
    with kmodlab.Machine() as vm:
        for name in ("scribble", "notefs", "loopnic"):
            vm.insmod(kmodlab.build(resource("lab_modules") / name, vm.kernel))
        memory = kmodlab.plot.memory(vm.memory(), modules=["scribble", "notefs", "loopnic"])
        memory.figure.savefig(HERE / "memory.png", dpi=150)
        vm.modprobe("btrfs")
        dependencies = kmodlab.plot.dependencies(vm.dependencies("btrfs"))
        dependencies.figure.savefig(HERE / "dependencies.png", dpi=150)
        print(kmodlab.plot.alt_text(memory), kmodlab.plot.alt_text(dependencies), sep="\n")


if __name__ == "__main__":
    main()
