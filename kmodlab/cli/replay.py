# SPDX-License-Identifier: MIT
"""``replay``: run again what somebody packed with ``try --capsule``."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab.cli.output import Output
from kmodlab.cli.stages import need_stages
from kmodlab.progress import say

__all__ = ["command"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(output: Output, file: Path, as_json: bool) -> int:
    """Run the capsule FILE again and say whether it came out the same.

    The status is 0 if it did, 1 if not, 3 if the lab itself failed.
    """
    from kmodlab.build.sandbox import choose_shut
    from kmodlab.verdict.capsule import differences, read_capsule
    from kmodlab.verdict.trial import try_module

    capsule = read_capsule(file)
    chosen = capsule.settings
    need_stages()
    choose_shut()  # somebody else's source
    verdict = try_module(
        capsule.source,
        chosen.parameters,
        chosen.exec,
        chosen.kernel or None,
        timeout=chosen.timeout,
        memory=chosen.memory,
        cpus=chosen.cpus,
        ledger=chosen.ledger,
        watch=say,
    )
    now = verdict.to_dict()
    found = differences(capsule.verdict, now)
    output.emit({"same": not found, "differences": found, "was": dict(capsule.verdict), "now": now})
    if not as_json:
        click.echo(str(verdict))
        words = ["It came out differently:", *found] if found else ["It came out the same."]
        click.echo("\n" + "\n  ".join(words))
    return 3 if verdict.exit_status == 3 else int(bool(found))
