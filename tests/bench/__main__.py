# SPDX-License-Identifier: MIT
"""``kmodlab bench``: measure this machine, print a table, write it as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import commands
import crowd
import edits
import equivalence
import grading
import lessons
import machines
import panel
import peers
from measure import Row, machine
from table import WHAT, table

# Rows that are measured only when they are named: they take longer than all others together.
LONG = {"suite"}

# What makes each row, in the order in which they are measured.
MAKERS: dict[str, Callable[[], Iterator[Row]]] = {
    "edit_to_log": edits.edit_to_log,
    "edit_to_log_pooled": edits.edit_to_log_pooled,
    "build": edits.build_time,
    "build_cached": edits.build_cached,
    "clone": machines.clone,
    "clone_pooled": machines.clone_pooled,
    "exec": machines.exec_time,
    "fresh_after_panic": machines.fresh_after_panic,
    "insmod": machines.insmod,
    "memory_per_machine": machines.memory_per_machine,
    "crowd": crowd.crowd,
    "stampede_30": crowd.stampede,
    "learners_30_p95": crowd.learners,
    "grading": grading.grading,
    "import": commands.import_time,
    "one_command": peers.one_command,
    "panel": panel.panel,
    "notebook_overhead": lessons.notebook_overhead,
    "tour_again": commands.tour_again,
    "suite": lessons.suite,
    "setup_download": commands.set_up,
    "setup_work": commands.set_up,
}


# Rows that a maker of another name makes.
PART_OF = {"panel_idle": "panel", "panel_flood": "panel"}


def main() -> int:
    """Measure the rows that are named, or all."""
    parser = argparse.ArgumentParser(prog="kmodlab bench")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("rows", nargs="*", choices=[*MAKERS, []], help="the rows to measure; all if none is named")
    parser.add_argument("--equivalence", action="store_true", help="compare the two ways to build, and measure nothing")
    parser.add_argument("--table", action="store_true", help="measure the rows of README.md and print its table")
    chosen = parser.parse_args()
    if chosen.equivalence:
        return 1 if equivalence.compare() else 0
    wanted = chosen.rows or [name for name in MAKERS if name not in LONG]
    if chosen.table:
        wanted = [PART_OF.get(name, name) for name in WHAT]
    makers = dict.fromkeys(MAKERS[name] for name in wanted)
    rows, failed = [], False
    for maker in makers:
        try:
            for made in maker():
                rows.append(made)
                print(made, flush=True, file=sys.stderr if chosen.table else sys.stdout)
        except Exception as error:
            failed = True
            print(f"{maker.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
    if chosen.table:
        print(table(rows))
    if chosen.json:
        report = {"machine": machine(), "rows": [made.as_dict() for made in rows]}
        chosen.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
