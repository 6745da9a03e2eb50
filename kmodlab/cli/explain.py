# SPDX-License-Identifier: MIT
"""``explain``: what a kernel log says, from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kmodlab.build.lines import ModuleCode, with_lines
from kmodlab.cli.output import Output
from kmodlab.errors import HostSetupError, RecordParseError, SandboxError, UsageError
from kmodlab.progress import say
from kmodlab.records.report import Report, parse_reports
from kmodlab.records.table import Rows

__all__ = ["command"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--ko", "modules", type=_FILE, multiple=True, help="A module's .ko, for the lines of its source.")
@click.option("--source", "folders", type=_FOLDER, multiple=True, help="Where the .ko's source lies, if not beside it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(output: Output, file: Path, modules: tuple[Path, ...], folders: tuple[Path, ...], as_json: bool) -> int:
    """Explain the faults in the kernel log FILE, or - for standard input: dmesg, a journal, a console, a bug report.

    The status is 0 if the log could be read, whatever it holds; 3 if the lines of a --ko could not be found.
    """
    log = _read(file)
    reports = parse_reports(log)
    codes = [_code(path, (*folders, Path.cwd())) for path in modules]
    status = 0
    try:
        reports = with_lines(reports, codes)
    except (SandboxError, HostSetupError, RecordParseError) as error:
        say(f"kmodlab: {error}")
        status = 3
    output.emit({"reports": [report.to_dict() for report in reports]})
    if not as_json:
        click.echo(_text(reports, log))
    return status


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.buffer.read().decode(errors="replace")
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError as error:
        raise UsageError(
            f"read {file}: {error.strerror}; give the path of a kernel log, or - for standard input"
        ) from error


def _code(path: Path, folders: tuple[Path, ...]) -> ModuleCode:
    try:
        return ModuleCode.from_file(path, folders)
    except OSError as error:
        raise UsageError(f"read {path}: {error.strerror}; give the .ko that ran when the log was written") from error
    except RecordParseError as error:
        raise UsageError(f"{path}: {error}") from error


def _text(reports: Rows[Report], log: str) -> str:
    if not reports:
        count = log.count("\n") + (not log.endswith("\n") and bool(log))
        return f"no fault of the kernel is reported in these {count} lines"
    return "\n\n".join(f"lines {first} to {last}: {report}" for report in reports for first, last in (report.lines,))
