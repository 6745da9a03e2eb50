# SPDX-License-Identifier: MIT
"""What a Kbuild file or Makefile says about its modules, read without running it.

Only as much of make as module folders use: ``=``, ``:=``, ``+=``, ``?=``, continued lines, comments and plain
variables. What needs make itself (functions, conditions) is left open: the build tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["modules_of"]

_ASSIGNMENT = re.compile(r"^ *(?:override +)?([\w$().%-]+)\s*(\+|\?|::?)?=\s*(.*)$")
_VARIABLE = re.compile(r"\$[({](\w[\w.-]*)[)}]")


def modules_of(text: str, subfolder: Callable[[str], str | None] = lambda _: None) -> tuple[str, ...] | None:
    """Return the names of the modules that a Kbuild or Makefile builds, in its order.

    Args:
        text: what the file says.
        subfolder: returns what the Kbuild or Makefile of a folder named in obj-m says.

    Returns:
        Names as the kernel has them (``-`` becomes ``_``), empty if only make could tell; None if it never sets
        obj-m, so it is no description of modules.
    """
    variables = _variables(text)
    if "obj-m" not in variables:
        return None
    names: list[str] = []
    for word in _expand(variables["obj-m"], variables).split():
        if word.endswith("/"):
            below = subfolder(word.rstrip("/"))
            names += (modules_of(below) or ()) if below is not None else ()
        elif re.fullmatch(r"[\w./+-]+\.o", word):
            names.append(word.removesuffix(".o").rpartition("/")[2].replace("-", "_"))
    return tuple(dict.fromkeys(names))


def _variables(text: str) -> dict[str, str]:
    """The variables that a makefile sets, as if every condition in it were true."""
    found: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        match = _ASSIGNMENT.match(re.sub(r"(^|\s)#.*", "", line))
        if match:
            name, how, value = match.groups()
            if how == "+":
                found[name] = f"{found.get(name, '')} {value}"
            elif how != "?" or name not in found:
                # A second "obj-m :=" stands in another branch of a condition more often than it takes back the first.
                found[name] = f"{found[name]} {value}" if name == "obj-m" and name in found else value
    return found


def _expand(text: str, variables: dict[str, str]) -> str:
    """Put in the values of plain variables; a few rounds, since they may name each other, also in a circle."""
    for _ in range(8):
        text, count = _VARIABLE.subn(lambda match: variables.get(match[1], match[0]), text)
        if not count or len(text) > 100_000:
            break
    return text
