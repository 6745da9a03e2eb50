# SPDX-License-Identifier: MIT
"""``check``: a module from all sides."""

from __future__ import annotations

from pathlib import Path

import click

from kmodlab import __version__
from kmodlab.cli.output import Output
from kmodlab.cli.stages import need_stages
from kmodlab.errors import UsageError
from kmodlab.progress import say

__all__ = ["command"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--kernel", "releases", multiple=True, metavar="RELEASE", help="A kernel; may be given more than once.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds that each step in a machine may take.")
@click.option("--junit", "junit_file", type=_FILE, metavar="FILE", help="Write the checks as JUnit XML, too.")
@click.option("--sarif", "sarif_file", type=_FILE, metavar="FILE", help="Write what failed as SARIF, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(
    output: Output,
    path: Path,
    releases: tuple[str, ...],
    timeout: float,
    junit_file: Path | None,
    sarif_file: Path | None,
    as_json: bool,
) -> int:
    """Check the module at PATH: warnings, sparse, style, loading again and again, leaks, absurd parameters, use."""
    from kmodlab.build.source import ModuleSource
    from kmodlab.verdict.check import check_module
    from kmodlab.verdict.exchange import junit, sarif

    source = ModuleSource.from_path(path)
    need_stages()
    checked = check_module(source, releases, timeout=timeout, watch=say)
    output.emit(checked.to_dict())
    if junit_file:
        _write(junit_file, junit(checked))
    if sarif_file:
        _write(sarif_file, sarif(checked, __version__))
    if not as_json:
        click.echo(str(checked))
    return checked.exit_status


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"write {path}: {error.strerror}; choose another place") from None
