# SPDX-License-Identifier: MIT
"""Checks of the exercise ``stamp``: random texts, and whether it really leans on crc16."""

from __future__ import annotations

import random
import string

from kmodlab.course import Trial, check

HINTS = {
    "depends": (
        "The module loads although crc16 is not there: it does not use the function of that module.",
        "Call crc16() from <linux/crc16.h>; do not work the checksum out yourself.",
    ),
    "order": ("With crc16 loaded, the kernel finds all symbols, and the module must load.",),
    "sum": (
        "The checksum is not that of the text.",
        "sum = crc16(start, bytes, length): its result must go into sum.",
    ),
    "start": ("crc16() goes on from the value that it is given first; here it begins with 0.",),
    "length": (
        "The checksum is that of another number of characters.",
        "strlen() counts the characters, without the 0 at the end; sizeof(text) is the size of a pointer.",
    ),
    "empty": ("There is nothing to stamp in an empty text: return -EINVAL.", "The first character of it is 0."),
}


def crc16(data: bytes, crc: int = 0) -> int:
    """The checksum of the kernel's lib/crc16.c: polynomial x^16 + x^15 + x^2 + 1, bits reversed."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def some_text(length: int) -> str:
    """Random letters and digits."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=length))


def likely_mistake(data: bytes, seen: int) -> str:
    """The hint for a checksum that is not right."""
    if seen == crc16(data, 0xFFFF):
        return "start"
    others = (data + b"\0", data[:8], data[:-1], data[:4])
    return "length" if seen in {crc16(other) for other in others if other} else "sum"


@check(points=2, passed="it leans on crc16: not loaded without it, and holds it while loaded")
def leans_on_crc16(trial: Trial) -> None:
    """Without crc16, with it, and whether crc16 may go."""
    trial.vm.run("modprobe -r crc16")
    error = trial.refused(text=some_text(12))
    trial.expect(error == "ENOENT", "depends", f"crc16 is not loaded, and insmod says {error or 'that all is well'}")
    trial.vm.modprobe("crc16")
    error = trial.refused(text=some_text(12))
    trial.expect(not error, "order", f"crc16 is loaded, and insmod says {error}")
    holders = trial.vm.lsmod().named("crc16").holders
    trial.expect("stamp" in holders, "depends", f"crc16 is held by {', '.join(holders) or 'nobody'}")
    trial.expect(trial.run("rmmod crc16").exit_status, "depends", "crc16 could be unloaded while the module was there")


@check(points=2, passed="the checksums are right")
def stamps(trial: Trial) -> None:
    """Texts of several lengths."""
    trial.vm.modprobe("crc16")
    for length in (random.randrange(9, 30), 1, 7, random.randrange(100, 900)):
        text = some_text(length)
        trial.load(text=text)
        seen, wanted = int(trial.run("cat /sys/module/stamp/parameters/sum").stdout), crc16(text.encode())
        said = f"{text[:30]}{'…' if length > 30 else ''}: sum is {seen}, it should be {wanted}"
        trial.expect(seen == wanted, likely_mistake(text.encode(), seen), said)
        trial.unload()


@check(points=1, passed="an empty text is refused")
def refuses_nothing(trial: Trial) -> None:
    """No text, and an empty one; and a short one, so that not everything is refused."""
    trial.vm.modprobe("crc16")
    trial.expect(not trial.refused(text="x"), "order", "the text x was refused")
    trial.expect(trial.run("cat /sys/module/stamp/parameters/sum").stdout != "0\n", "sum", "the sum of x is 0")
    trial.unload()
    for parameters in ({}, {"text": ""}):
        error = trial.refused(**parameters)
        trial.expect(error == "EINVAL", "empty", f"an empty text: {error or 'the module loads'}, not EINVAL")
