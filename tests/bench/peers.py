# SPDX-License-Identifier: MIT
"""A command in a kernel of one's own, from a shell's prompt and back: beside virtme-ng, where that is installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

from machines import frozen_machine
from measure import Row, row, seconds_of

import kmodlab

__all__ = ["one_command"]

_RUNS = 5


def one_command() -> Iterator[Row]:
    """``kmodlab shell`` with one command, its Python included, beside ``vng --run`` with the same kernel and command.

    virtme-ng boots the kernel anew on the host's own files. It looks for modules where the running system has its own,
    so those of Debian's package are laid over that folder, for it alone.
    """
    template = frozen_machine()
    release = template.kernel.release
    shell = [sys.executable, "-m", "kmodlab", "shell"]
    ours = [seconds_of(lambda: _answer(shell, release, stdin="uname -r\n")) for _ in range(_RUNS)]
    missing = [name for name in ("vng", "busybox", "unshare") if shutil.which(name) is None]
    if missing or os.geteuid():
        why = f"{' and '.join(missing)} not there" if missing else "only root can lay modules over the host's"
        yield row("one_command", "s", None, ours, note=f"beside virtme-ng not measured: {why}")
        return
    root, chosen = template.kernel.root, kmodlab.settings()
    over = shlex.join(("mount", "-t", "overlay", "-o", f"lowerdir={root}/lib:/usr/lib", "none", "/usr/lib"))
    size = ("--cpus", str(chosen.cpus), "--memory", f"{max(chosen.memory, 512)}M")
    image = f"{root}/boot/vmlinuz-{release}"
    accelerator = () if template.hardware.accelerator == "kvm" else ("--disable-kvm",)
    # Without udev in the guest the command's output comes by the console, which is shown with --verbose only.
    run = ("vng", "--verbose", "--run", image, *accelerator, "--disable-microvm", *size, "--user", "root")
    theirs = ["unshare", "--mount", "sh", "-c", f"{over} && exec {shlex.join((*run, '--exec', 'uname -r'))}"]
    taken = [seconds_of(lambda: _answer(theirs, release))]
    yield row("one_command", "s", None, ours, peer="virtme-ng", peer_values=taken, note="of virtme-ng one run")


def _answer(argv: list[str], release: str, stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert re.search(rf"^{re.escape(release)}\r?$", said, re.MULTILINE), said
