# SPDX-License-Identifier: MIT
"""``build``: a kernel module from a file or folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmodlab.cli.output import Output
from kmodlab.cli.stages import need_stages
from kmodlab.errors import BuildError
from kmodlab.progress import say

if TYPE_CHECKING:
    from kmodlab.build.diagnostics import Diagnostic

__all__ = ["command", "diagnostic_fields"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--kernel", "release", metavar="RELEASE", help="The kernel to build against; the default one otherwise.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(output: Output, path: Path, release: str | None, as_json: bool) -> int:
    """Build the module at PATH, a .c file or a folder whose Kbuild or Makefile says obj-m."""
    from kmodlab.build.build import build
    from kmodlab.build.source import ModuleSource
    from kmodlab.host.kernels import ensure_kernel

    source = ModuleSource.from_path(path)
    need_stages("kernel")
    try:
        built = build(source, ensure_kernel(release))
    except BuildError as error:
        output.emit(
            {"ok": False, "artifacts": [], "how": None, "seconds": None, "error": _error(error)}
            | {"diagnostics": diagnostic_fields(error.diagnostics)}
        )
        raise
    artifacts = [str(artifact.path) for artifact in (built, *built.others)]
    for diagnostic in built.diagnostics:
        say(str(diagnostic))
    output.emit(
        {"ok": True, "artifacts": artifacts, "how": built.how, "seconds": round(built.seconds, 3)}
        | {"diagnostics": diagnostic_fields(built.diagnostics)}
    )
    if not as_json:
        click.echo("\n".join(artifacts))
    return 0


def _error(error: BuildError) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}


def diagnostic_fields(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Return diagnostics as JSON objects."""
    wanted = ("file", "line", "column", "severity", "message", "option", "source")
    return [{name: value for name, value in dataclasses.asdict(each).items() if name in wanted} for each in diagnostics]
