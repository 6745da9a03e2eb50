# SPDX-License-Identifier: MIT
"""Lines of call traces and of register dumps as frames, in the forms of Linux 4.x to 7.x, also decoded ones."""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache

from kmodlab.records.report.record import Frame

__all__ = ["bare_name", "context_of", "place_of", "read_frame", "read_pointer", "user_pointer"]

_NAME = r"[A-Za-z_$][\w.$]{0,200}"
_PLACE = rf"(?P<function>{_NAME})\+0x(?P<offset>[0-9a-f]{{1,16}})/0x(?P<size>[0-9a-f]{{1,16}})"
_MODULE = r"(?: \[(?P<module>[\w-]{1,60})(?: [0-9a-f]{8,40})?(?: [A-Z0-9_()+-]{1,8})?\])?"
_SOURCE = r"(?: (?P<file>[\w./+-]{1,300}\.(?:c|h|S|rs|inc)):(?P<line>[0-9]{1,7}))?"
# " ? foo+0x10/0x20 [module]", with an address in front up to 4.9 and on arm64, with "file:line" where it was decoded;
# arm64 since 6.13 adds flags such as "(P)".
_ADDRESS = r"(?:\[<\s*(?P<address>[0-9a-f]{8,16})>\] ?)?"
_TAGS = r"(?:<(?:/?(?:IRQ|SOFTIRQ|NMI|TASK|EOI|EOE|#?[A-Z]{2,10}[0-9]?|ENTRY_TRAMPOLINE))> ?){0,2}"
_FRAME = re.compile(
    rf"\s{{0,8}}{_TAGS}\s{{0,2}}(?P<early>\? )?{_ADDRESS}\s{{0,2}}(?P<guess>\? )?{_PLACE}{_MODULE}{_SOURCE}(?: "
    rf"\[[\w-]{{1,60}}\])?"
    r"(?: \([A-Z]{1,4}\))?$"
)
# " __kmalloc_noprof include/linux/slab.h:957 [inline]", as syz-symbolize and others decode
_INLINED = re.compile(
    rf"\s{{0,8}}(?P<function>{_NAME}) (?P<file>[\w./+-]{{1,300}}\.(?:c|h|S|rs|inc)):(?P<line>[0-9]{{1,7}}) \[inline\]$"
)
# " faulty_write (/build/faulty_main.c:37 (discriminator 3)) faulty", as scripts/decode_stacktrace.sh decodes
_SCRIPT = re.compile(
    rf"\s{{0,8}}(?P<guess>\? )?(?P<function>{_NAME}) \((?P<file>[\w./+-]{{1,300}}\.(?:c|h|S|rs)):(?P<line>[0-9]{{1,7}})"
    r"(?: \(discriminator [0-9]+\))?(?: [^() ]{1,300}(?: \(discriminator [0-9]+\))?)*\)(?: (?P<module>[\w-]{1,60}))?$"
)
# "[<80de0078>] (dump_backtrace) from [<80de0574>] (show_stack+0x28/0x2c)", 32-bit Arm
_FROM = re.compile(
    rf"\s{{0,8}}(?:\[<[0-9a-f]*>\] ?)?\(?[\w.$]{{1,200}}\)? from (?:\[<[0-9a-f]*>\] ?)?\(?{_PLACE}{_MODULE}\)?$"
)
_POINTER = re.compile(
    r"(?:(?:[0-9a-f]{4}:)?[RE]?IP: ?(?P<segment>[0-9a-f]{4}:)?|pc : |PC is at )(?:\[<[0-9a-f]*>\] *)*(?P<rest>.*)$"
)
_CONTEXT = re.compile(r"<(/?)(IRQ|SOFTIRQ|NMI|TASK|EOI|EOE|#?[A-Z]{2,10}[0-9]?)>")
_ANY_PLACE = re.compile(rf"\b{_PLACE}{_MODULE}")
_SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm|lto_priv|unlikely|plt|prop)\b.*$")
_USER_SEGMENTS = ("0033:", "0023:", "002b:", "0073:")


@lru_cache(maxsize=4096)
def bare_name(function: str) -> str:
    """Return a function's name as the source has it: ``foo`` for ``foo.isra.0`` and ``foo.cold``."""
    return _SUFFIX.sub("", function)


def read_frame(text: str, context: str = "") -> Frame | None:
    """Return the frame in a line of a call trace, or None if it is no such line."""
    if "+0x" in text:
        found = _FRAME.match(text) or (_FROM.match(text) if " from " in text else None)
        return _from(found, context=context) if found else None
    if text.endswith("[inline]"):
        found = _INLINED.match(text)
        if found:
            return Frame(found["function"], file=found["file"], line=int(found["line"]), inline=True, context=context)
    elif "(" in text and ":" in text:
        found = _SCRIPT.match(text)
        if found:
            return Frame(
                found["function"],
                module=found["module"] or "",
                file=found["file"],
                line=int(found["line"]),
                reliable=not found["guess"],
                context=context,
            )
    return None


def _from(found: re.Match[str], *, exact: bool = False, context: str = "") -> Frame:
    parts = found.groupdict()
    return Frame(
        function=parts["function"],
        offset=int(parts["offset"], 16),
        size=int(parts["size"], 16),
        module=parts["module"] or "",
        file=parts.get("file") or "",
        line=int(parts["line"]) if parts.get("line") else None,
        exact=exact,
        reliable=not (parts.get("guess") or parts.get("early")),
        context=context,
    )


def place_of(text: str) -> Frame | None:
    """Return the first ``foo+0x10/0x20 [module]`` anywhere in a line."""
    found = _ANY_PLACE.search(text) if "+0x" in text else None
    return _from(found) if found else None


def read_pointer(text: str, context: str = "") -> Frame | str | None:
    """Return the frame of an instruction pointer (``RIP: 0010:foo+0x1/0x2``, ``pc : foo+…``).

    Returns:
        None if the line shows none; an empty text if it shows one that lies in no function, as after a jump through
        a bad pointer.
    """
    found = _POINTER.match(text)
    if found is None or user_pointer(text):
        return None
    rest = found["rest"].strip()
    inlined = read_frame(rest, context) if rest else None
    place = _ANY_PLACE.match(rest)
    if place is None:
        return dataclasses.replace(inlined, exact=not inlined.inline) if inlined else ""
    frame = _from(_FRAME.match(rest) or place, exact=True, context=context)
    # A jump into data: the symbol before it is no function, and its size is nonsense.
    return "" if frame.size is not None and frame.size > 1 << 40 else frame


def user_pointer(text: str) -> bool:
    """Return true for the registers of a program: the trace of the kernel ends there."""
    found = _POINTER.match(text)
    return bool(found and found["segment"] in _USER_SEGMENTS)


def context_of(text: str, before: str) -> str:
    """Return the context after a line of a trace: ``IRQ`` after ``<IRQ>``, empty after ``</IRQ>`` or ``<TASK>``."""
    if "<" not in text:
        return before
    for closing, name in _CONTEXT.findall(text):
        before = "" if closing or name in ("TASK", "EOI", "EOE") else name
    return before
