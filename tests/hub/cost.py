# SPDX-License-Identifier: MIT
"""What a user of a hub costs: memory and processor time of all that runs under their name."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.hub.hub_user import User

__all__ = ["costs", "idle_costs"]

_KINDS = {
    "jupyterhub-singleuser": "the server",
    "ipykernel_launcher": "the Jupyter kernel",
    "qemu-system": "QEMU",
}


def costs(what: str, user: User) -> None:
    """Print the MiB that a user's processes take, and their processor time until now.

    Of a page that several have mapped each counts its part. A frozen machine's memory is a file without a name: it is
    counted as a whole, and once, and of its mappings only what a machine has written.
    """
    memory: dict[str, float] = defaultdict(float)
    frozen: dict[int, float] = {}
    for pid, words in user.processes().items():
        kind = next((name for word, name in _KINDS.items() if word in words), "others")
        memory[kind] += _own(pid)
        frozen |= _memory_files(pid)
    memory["frozen machine"] = sum(frozen.values())
    shown = ", ".join(f"{name} {value:.0f}" for name, value in sorted(memory.items()))
    print(
        f"{what}: {sum(memory.values()):.0f} MiB ({shown}), {processor_seconds(user):.1f} s of a processor", flush=True
    )


def idle_costs(users: Sequence[User], seconds: float = 10) -> None:
    """Print what part of a processor users take of whom nobody wants anything, for so many seconds."""
    before = [processor_seconds(user) for user in users]
    time.sleep(seconds)
    for user, used in zip(users, before, strict=True):
        part = (processor_seconds(user) - used) / seconds
        print(f"{user.name}, a machine that stands still: {100 * part:.1f} % of a processor", flush=True)


def processor_seconds(user: User) -> float:
    """The processor time that a user's processes have used, in seconds, with that of children that have ended."""
    total = 0.0
    for pid in user.processes():
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


def _own(pid: int) -> float:
    """MiB of a process's memory, but for what it has mapped of files in memory and not changed."""
    total, counted = 0, "Pss:"
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except OSError:
        return 0.0
    for line in lines:
        name, *words = line.split()
        if not name.endswith(":"):
            counted = "Anonymous:" if "/memfd:" in line else "Pss:"
        elif name == counted:
            total += int(words[0])
    return total / 1024


def _memory_files(pid: int) -> dict[int, float]:
    """The MiB of each file in memory that a process has open."""
    held = {}
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if "/memfd:" in str(link.readlink()):
                facts = link.stat()
                held[facts.st_ino] = facts.st_blocks * 512 / (1 << 20)
    except OSError:
        pass
    return held
