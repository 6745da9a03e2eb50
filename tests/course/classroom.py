# SPDX-License-Identifier: MIT
"""A class of forty and what they hand in: right, wrong, hanging, crashing, hostile and damaged; no two alike."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import nbformat

from kmodlab.course.exercise import Exercise

__all__ = ["SIZE", "hand_in", "make_class"]

SIZE = 40
TRAP = "raise SystemExit('the Python of a student was run')"
INIT = 'pr_info("level is %d\\n", level);'
MACROS = "\n".join(f"#define A{n} " + " ".join([f"A{n - 1}"] * 10) for n in range(1, 10))


def hand_in(folder: Path, *cells: tuple[str, str]) -> Path:
    """A notebook with an answer a cell, and Python that must never run."""
    texts = [TRAP, *(f"%%kmod {module}\n{text}" for module, text in cells)]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "first.ipynb"
    path.write_text(nbformat.writes(made))
    return path


def make_class(room: Path, bounded: Exercise, unwind: Exercise, outside: Path, year: str) -> dict[str, int]:
    """Fill a folder with forty submissions, and return the points that each should get at `bounded` and `unwind`.

    -1 stands for some, and not all.

    Args:
        room: made, with a folder or a notebook a student.
        bounded, unwind: the exercises of those names.
        outside: a file that nobody's answer may read, and beside which none may write.
        year: stands in every answer: that of another year is another one.
    """
    points: dict[str, int] = {}

    def answer(name: str, wanted: int, *cells: tuple[str, str]) -> Path:
        points[name] = wanted
        # Whoever hands in what nobody else does is examined by himself.
        return hand_in(room / name, *((module, f"/* {name} {year} */\n{text}") for module, text in cells))

    right, both = ("bounded", bounded.solution), ("unwind", unwind.solution)
    for number in range(4):
        answer(f"right-{number}", 5, right)
        answer(f"both-{number}", 11, right, both)
    for number, wrong in enumerate(bounded.wrong_answers):
        answer(f"wrong-{number}", -1, ("bounded", wrong.text))
    for number, wrong in enumerate(unwind.wrong_answers[:3]):
        answer(f"unwound-{number}", -1, right, ("unwind", wrong.text))
    answer("begun", 0, ("bounded", bounded.skeleton), ("unwind", unwind.skeleton))

    def broken(name: str, old: str, new: str) -> None:
        assert old in bounded.solution
        answer(name, 0, ("bounded", bounded.solution.replace(old, new)))

    broken("hangs", INIT, "while (true)\n\t\tcpu_relax();")
    answer(
        "hangs-later",
        5,
        right,
        ("unwind", unwind.solution.replace("	int err;\n", "	int err;\n\n	for (;;)\n		;\n", 1)),
    )
    broken("crashes", INIT, "*(volatile int *)8L = 1;")
    broken("panics", INIT, 'panic("gone");')
    broken("does-not-compile", "return 0;", "return 0")
    answer("bomb", 0, ("bounded", f"{MACROS}\n#define A0 1,\nchar bomb[] = {{ A9 }};\n{bounded.solution}"))
    answer("endless", 0, ("bounded", '#include "/dev/zero"\n' + bounded.solution))
    answer("thief", 0, ("bounded", f'#include "{outside}"\n' + bounded.solution))
    answer("nothing", 0, ("bounded", "/* nothing */\n"))

    # -- What is damaged -----------------------------------------------------------------------------------------------
    torn = answer("torn", 0, right)
    torn.write_text(torn.read_text()[:-400])
    (answer("garbage", 0, right)).write_bytes(random.Random(7).randbytes(100_000))
    answer("deleted", 0)
    answer("twice", 5, right, right)
    answer("differs", 0, right, ("bounded", bounded.skeleton))
    points["copied"] = 5
    hand_in(room / "copied", ("bounded", f"/* right-0 {year} */\n{bounded.solution}"))
    points["link"] = 0
    (room / "link").mkdir()
    (room / "link" / "first.ipynb").symlink_to(room / "right-1" / "first.ipynb")
    (room / "link" / "bounded.c").symlink_to(outside)
    with answer("huge", 0, right).open("r+b") as file:
        os.truncate(file.fileno(), 100 << 20)
    wide = answer("utf-16", 0, right)
    wide.write_text(wide.read_text(), encoding="utf-16")
    points["empty"] = 0
    (room / "empty").mkdir()
    points["makes"] = 5
    place = room / "makes" / "bounded"
    place.mkdir(parents=True)
    (place / "bounded.c").write_text(f"/* makes {year} */\n{bounded.solution}")
    for name in ("Makefile", "Kbuild"):
        (place / name).write_text(f"obj-m += bounded.o\n$(shell touch {outside.parent}/written)\n")
    points["nested.ipynb"] = 0
    (room / "nested.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": {"a": ["%%kmod"]}}, 7]}))
    assert len(points) == SIZE, len(points)
    return points
