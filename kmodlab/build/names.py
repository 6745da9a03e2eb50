# SPDX-License-Identifier: MIT
"""Which names a module may have, and a plain sentence for those it may not."""

from __future__ import annotations

import re

from kmodlab.errors import UsageError

__all__ = ["LONGEST", "check_name", "shorten"]

LONGEST = 55
"""``MODULE_NAME_LEN`` of a 64-bit kernel is 56, with the NUL byte at the end."""

_WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "asm typeof _Bool _Complex"
)
_KEYWORDS = frozenset(_WORDS.split())
# kbuild looks whether NAME-m is set to see whether NAME.o has several sources; obj-m is the list of modules itself.
_TRAPS = frozenset({"obj"})


def check_name(name: str) -> str:
    """Return the name if a module can have it: letters, digits and underscores, at most `LONGEST` of them.

    Raises:
        UsageError: it cannot; the message says why and what would do.
    """
    if not name.strip():
        raise UsageError("name the module: no name was given; write one, such as hello")
    why = _objection(name)
    if why:
        raise UsageError(f"name the module {shorten(name)}: {why}")
    return name


def _objection(name: str) -> str:
    """What stands against a name, or nothing."""
    instead = _suggestion(name)
    advice = f"; {instead} would do" if instead else "; use letters, digits and underscores"
    if "/" in name or "\\" in name or ".." in name:
        return f"a name is no path{advice}"
    if name.endswith((".c", ".ko", ".o")):
        return f"leave out the ending{advice}"
    if not name.isascii():
        return f"it holds letters outside ASCII, which the kernel's tools do not take{advice}"
    if any(character.isspace() for character in name):
        return f"it holds a space, at which make would cut it in two{advice}"
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        return f"it is no C identifier{advice}"
    if name in _KEYWORDS:
        return f"it is a word of the C language{advice}"
    if name in _TRAPS:
        return f"kbuild uses it for a list of its own{advice}"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, the kernel takes {LONGEST}; choose a shorter one"
    return ""


def _suggestion(name: str) -> str:
    """A name near the given one that can be had, or nothing."""
    stem = re.sub(r"\.(c|ko|o)$", "", re.split(r"[/\\]", name.strip())[-1])
    word = re.sub(r"_+", "_", re.sub(r"\W", "_", stem, flags=re.ASCII)).strip("_")[:LONGEST]
    if word[:1].isdigit():
        word = f"m{word}"
    if word in _KEYWORDS | _TRAPS:
        word = f"my_{word}"
    return word


def shorten(name: str) -> str:
    """The name in quotes, cut where it would fill the screen."""
    return repr(name if len(name) <= 70 else f"{name[:67]}...")
