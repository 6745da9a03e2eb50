# SPDX-License-Identifier: MIT
"""``try``: what a module does in a fresh machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmodlab.cli.output import Output
from kmodlab.cli.stages import need_stages
from kmodlab.errors import UsageError
from kmodlab.progress import say

if TYPE_CHECKING:
    from kmodlab.verdict import Verdict

__all__ = ["command", "parse_parameters", "show"]


@click.command(name="try")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--exec", "lines", multiple=True, metavar="LINE", help="Run this in the guest while it is loaded.")
@click.option("--kernel", "release", metavar="RELEASE", help="The kernel to run; the default one otherwise.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds that each step may take.")
@click.option("--memory", type=click.IntRange(128, 4096), help="MiB of the machine.")
@click.option("--cpus", type=click.IntRange(1, 16), help="Processors of the machine.")
@click.option("--no-ledger", is_flag=True, help="Keep no account of allocations: faster, and finds no leaks.")
@click.option("--capsule", type=click.Path(path_type=Path), metavar="FILE", help="Pack all of it for somebody else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(
    output: Output,
    path: Path,
    parameters: tuple[str, ...],
    lines: tuple[str, ...],
    release: str | None,
    timeout: float,
    memory: int | None,
    cpus: int | None,
    no_ledger: bool,
    capsule: Path | None,
    as_json: bool,
) -> int:
    """Build the module at PATH, load it into a fresh machine, use it, unload it, and say what came of it."""
    from kmodlab.build.source import ModuleSource
    from kmodlab.verdict.capsule import Settings, write_capsule
    from kmodlab.verdict.trial import try_module

    if not 0.5 <= timeout <= 600:
        raise UsageError(f"wait {timeout:g} s: not a time limit; give one from 0.5 to 600")
    source = ModuleSource.from_path(path)
    wanted = parse_parameters(parameters)
    need_stages()
    verdict = try_module(
        source, wanted, lines, release, timeout=timeout, memory=memory, cpus=cpus, ledger=not no_ledger, watch=say
    )
    if capsule:
        settings = Settings(verdict.kernel, wanted, lines, timeout, memory, cpus, not no_ledger)
        write_capsule(capsule, source, settings, verdict)
        say(f"Packed into {capsule}: kmodlab replay {capsule} runs it again")
    return show(output, verdict, as_json)


def show(output: Output, verdict: Verdict, as_json: bool) -> int:
    """Print a verdict and return the exit status that it means."""
    output.emit(verdict.to_dict())
    if not as_json:
        click.echo(str(verdict))
    return verdict.exit_status


def parse_parameters(words: tuple[str, ...]) -> dict[str, str]:
    """Return ``NAME=VALUE`` words as a mapping.

    Raises:
        UsageError: one has no ``=``, or no name.
    """
    wanted = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"set parameter {word!r}: not of the form NAME=VALUE; write it as insmod takes it")
        wanted[name] = value
    return wanted
