# SPDX-License-Identifier: MIT
"""A folder for a new module: a small one of its kind that builds, loads and passes every check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from kmodlab.build.names import check_name
from kmodlab.errors import HostSetupError, UsageError

__all__ = ["KINDS", "Kind", "new_module"]

_TEMPLATES = Path(__file__).with_name("templates")
_KBUILD = "# SPDX-License-Identifier: GPL-2.0\nobj-m := $name.o\n"
_LAB_TOML = """\
# SPDX-License-Identifier: GPL-2.0
name = "$name"
kind = "$kind"
summary = "$summary"
expect = "clean"
kernels = ">=6.1"
"""
_README = """\
<!-- SPDX-License-Identifier: GPL-2.0 -->
# $name

$summary

## What to try
    kmodlab try $name --exec '$line'
    kmodlab check $name

In a machine of your own (`kmodlab shell $name`):

    insmod $name.ko
    $line
    rmmod $name
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of module that one can begin with.

    Attributes:
        kind: as ``lab.toml`` calls it.
        summary: what the module does, in a sentence.
        line: a shell line that uses it, once it is loaded.
    """

    kind: str
    summary: str
    line: str


KINDS = {
    "hello": Kind("hello", "Says hello when it is loaded and goodbye when it is unloaded.", "dmesg | tail -n 1"),
    "char": Kind("driver", "A character device that remembers what is written to it.", "echo hello > /dev/$name"),
    "fs": Kind("filesystem", "A filesystem with one file.", "mount -t $name none /mnt && ls -l /mnt && umount /mnt"),
    "net": Kind("network", "A network interface that counts packets and drops them.", "ip -s link show lab0"),
}
"""The kinds by the names that ``kmodlab new --kind`` takes."""


def new_module(name: str, kind: str, place: Path) -> Path:
    """Make the folder of a new module and return it.

    Args:
        name: of the module, and of the folder.
        kind: one of `KINDS`.
        place: the folder in which it is made.

    Raises:
        UsageError: no module can have that name, or something of that name is there.
        HostSetupError: the folder cannot be written.
    """
    folder = place / check_name(name)
    chosen = KINDS[kind]
    words = {"name": name, "kind": chosen.kind, "summary": chosen.summary}
    words["line"] = Template(chosen.line).substitute(name=name)
    files = {
        f"{name}.c": (_TEMPLATES / f"{kind}.c").read_text(),
        "Kbuild": _KBUILD,
        "lab.toml": _LAB_TOML,
        "README.md": _README,
    }
    try:
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(Template(text).substitute(words))
    except FileExistsError:
        raise UsageError(f"make {folder}: something of that name is there; choose another name") from None
    except OSError as error:
        raise HostSetupError(f"make {folder}: {error}; go to a folder that you may write to") from error
    return folder
