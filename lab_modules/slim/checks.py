# SPDX-License-Identifier: MIT
"""Checks of the exercise ``slim``: what the kernel keeps of it once it is loaded, and that it still works."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check

TABLE, SCRATCH = 32768, 4096
MOST = 20 * 1024
"""Bytes that may stay: a page or two each of code, constants and data."""
ROOM = "/sys/module/slim"

HINTS = {
    "digest": ("The digest is not right any more: only the marks are to be added.",),
    "mixed": (
        "The file mixed is read when init has long returned: whatever it needs has to stay.",
        "mixed_get() calls mix(): that function must not be __init.",
    ),
    "oops": (
        "The kernel ran into memory that was freed after init: something that is still needed was marked.",
        "mixed_get() is called at any time, and it calls mix(). Neither may be __init.",
    ),
    "table": (
        "The table still takes 32 kB, and nobody needs it any more.",
        "A constant that only init uses is marked __initconst, between its name with the brackets and the =.",
    ),
    "scratch": (
        "The scratch area still takes 16 kB, and nobody needs it any more.",
        "Data that only init uses and changes is marked __initdata, behind its name with the brackets.",
    ),
    "code": (
        "There is still code that runs only once.",
        "__init stands between the type and the name of a function.",
    ),
    "load": ("The module does not load: are digest, seed and mixed still there?",),
}


def folded(seed: int) -> tuple[int, int]:
    """What digest and mixed must say."""
    table = [0x5A] * TABLE
    table[7], table[TABLE - 1] = 3, 200
    scratch = [0] * SCRATCH
    for i, value in enumerate(table):
        scratch[i % SCRATCH] += (value ^ seed) * (i % 31 + 1)
    digest = 0
    for value in scratch:
        digest ^= value % 2**32
    return digest, (digest ^ seed) * 2 % 2**32


def number(trial: Trial, name: str) -> int:
    """A number in a file of the module's folder."""
    return int(trial.run(f"cat {ROOM}/{name}").stdout or -1)


def works(trial: Trial) -> None:
    """Load it, and compare what it says; the kernel frees init memory a moment after init."""
    seed = random.randrange(1, 2**32)
    digest, mixed = folded(seed)
    trial.load(seed=seed)
    seen = number(trial, "parameters/digest")
    trial.expect(seen == digest, "digest", f"for seed={seed} the digest is {seen}, it should be {digest}")
    for _ in range(8):
        seen = int(trial.run(f"sleep 0.05; cat {ROOM}/parameters/mixed").stdout or -1)
        trial.expect(seen == mixed, "mixed", f"for seed={seed} mixed says {seen}, it should be {mixed}")


@check(points=1, passed="it still does what it did, also long after it was loaded")
def still_works(trial: Trial) -> None:
    """Random seeds."""
    for _ in range(2):
        works(trial)
        trial.unload()


@check(points=3, passed="the table and the scratch area are gone after init")
def is_slim(trial: Trial) -> None:
    """What the kernel says that the module takes."""
    works(trial)
    kept, held = number(trial, "coresize"), number(trial, "initsize")
    sizes = {kind: trial.built.file.memory[kind] for kind in ("rodata", "data", "bss")}
    big = "table" if sizes["rodata"] >= TABLE or sizes["data"] >= TABLE else "scratch"
    trial.expect(kept <= MOST, big, f"{kept} bytes stay in the kernel, {MOST} are enough")
    trial.expect(held == 0, "table", f"{held} bytes of init memory are still held")


@check(points=2, passed="the code that runs once is gone after init")
def forgets_its_code(trial: Trial) -> None:
    """The kernel's list of functions."""
    works(trial)
    listed = trial.run(r"sed -n 's/.* [tT] \([a-z_]*\).*\[slim\]$/\1/p' /proc/kallsyms").stdout.split()
    trial.expect("mixed_get" in listed, "mixed", "mixed_get() is not among the module's functions")
    for name in ("fold", "slim_init", "init_module"):
        trial.expect(name not in listed, "code", f"{name}() is still there, though it will never run again")
    exits = [section.name for section in trial.built.file.sections if section.name.startswith(".exit.text")]
    trial.expect(exits, "code", "slim_exit() is not marked __exit")
