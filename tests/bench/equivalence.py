# SPDX-License-Identifier: MIT
"""``kmodlab bench --equivalence``: the quick way to build against kbuild, for every module and cell of the course."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kmodlab
from kmodlab.build.fast import fast
from kmodlab.build.kbuild import Made, kbuild
from kmodlab.build.source import ModuleSource
from kmodlab.course.exercise import find_exercises
from kmodlab.host.kernels import default_kernel
from kmodlab.resources import resource

sys.path.insert(0, str(resource("tests").parent))
from tests.build.likeness import same

__all__ = ["compare"]

_LIMIT = 120.0


def compare() -> int:
    """Build each source both ways, print what came of it, and return how many differ."""
    kernel, cache = default_kernel(), kmodlab.settings().cache
    wrong = left = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for title, source in _sources():
            quick = fast(source, kernel, cache, timeout=_LIMIT)
            if quick is None:
                left += 1
                print(f"{title:<50} left to kbuild", flush=True)
                continue
            count += 1
            words = _difference(quick, kbuild(source, kernel, timeout=_LIMIT), Path(folder) / "object")
            wrong += bool(words)
            print(f"{title:<50} {words or 'the same'}", flush=True)
    print(f"{count} built both ways, {wrong} differ; {left} are of a shape that is kbuild's")
    return wrong


def _difference(quick: Made, reference: Made, place: Path) -> str:
    if bool(quick.exit_status) != bool(reference.exit_status):
        return f"DIFFERENT STATUS {quick.exit_status} and {reference.exit_status}"
    if quick.diagnostics != reference.diagnostics:
        return "DIFFERENT WORDS"
    ours, theirs = (
        {name: content for name, content in made.files.items() if name.endswith(".ko")} for made in (quick, reference)
    )
    if ours.keys() != theirs.keys() or not all(same(ours[name], theirs[name], place) for name in ours):
        return "DIFFERENT MODULE"
    return ""


def _sources() -> Iterator[tuple[str, ModuleSource]]:
    """The lab's modules, the cells of the lessons, the skeletons and solutions of the exercises."""
    modules = resource("lab_modules")
    for path in sorted(modules.glob("*/Kbuild")):
        yield path.parent.name, ModuleSource.from_path(path.parent)
    for exercise in find_exercises(modules):
        for kind, text in (("solution", exercise.solution), ("skeleton", exercise.skeleton)):
            yield f"{exercise.id}: {kind}", ModuleSource.from_text(exercise.module, text)
    for notebook in sorted(resource("notebooks").glob("*.ipynb")):
        for number, cell in enumerate(json.loads(notebook.read_text())["cells"]):
            found = re.match(r"%%kmod (\w+)[^\n]*\n(.*)", "".join(cell["source"]), re.DOTALL)
            if cell["cell_type"] == "code" and found:
                yield f"{notebook.stem}: cell {number}, {found[1]}", ModuleSource.from_text(found[1], found[2])
