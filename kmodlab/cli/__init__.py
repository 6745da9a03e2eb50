# SPDX-License-Identifier: MIT
"""The command ``kmodlab``: one file a verb, loaded when the verb is called.

Exit statuses: 0 it went well, or the verdict is clean; 1 the module, notebook or test under examination fell short;
2 the command line was wrong; 3 the lab itself could not work. With ``--json``, standard output is exactly one JSON
object whatever the status, and everything else goes to standard error.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from kmodlab.cli.output import Output
from kmodlab.errors import BuildError, GuestError, KmodlabError, SandboxError, UsageError
from kmodlab.progress import say

__all__ = ["FELL_SHORT", "LAB_FAILED", "WENT_WELL", "WRONG_USAGE", "Verbs", "exit_status", "main"]

WENT_WELL, FELL_SHORT, WRONG_USAGE, LAB_FAILED = range(4)
_INTERRUPTED = 130

_VERBS = (
    *("setup", "doctor", "tour", "start", "test", "init", "new", "build", "try", "check", "explain", "replay", "shell"),
    *("kernels", "execute", "gallery", "release", "lock", "grade", "worker", "bench", "soak", "python"),
)
_FILES = {"try": "try_"}
"""Verbs whose file cannot have their name: it is a word of Python."""


class Verbs(click.Group):
    """The verbs, each found in the module of its own name as ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a newcomer meets them."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(f"kmodlab.cli.{_FILES.get(cmd_name, cmd_name)}").command
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=None, version=importlib.import_module("kmodlab").__version__, prog_name="kmodlab")
def _kmodlab() -> None:
    """Write a kernel module, see what it does inside a real kernel, break that kernel as often as you like."""


def exit_status(error: BaseException) -> int:
    """Return the exit status that an error means."""
    if isinstance(error, UsageError | click.UsageError):
        return WRONG_USAGE
    if isinstance(error, BuildError | GuestError) and not isinstance(error, SandboxError):
        return FELL_SHORT
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _INTERRUPTED
    return LAB_FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, or those of the process, and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # `bench --json FILE` writes a file; everywhere else --json is a flag.
    wants_json = "--json" in words and words[0] not in {"bench", "python", "test"}
    with Output(wants_json) as output:
        try:
            status = _run(words, output)
        except Exception as error:
            status = exit_status(error)
            _complain(error)
            output.fallback = {"ok": False, "error": {"type": type(error).__name__, "message": _message(error)}}
        except KeyboardInterrupt:
            status = _INTERRUPTED
        return status


def _run(words: list[str], output: Output) -> int:
    status: Any = _kmodlab.main(args=words, prog_name="kmodlab", standalone_mode=False, obj=output)
    return int(status or 0)


def _message(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)


def _complain(error: Exception) -> None:
    if isinstance(error, click.ClickException):
        error.show(file=sys.stderr)
    elif isinstance(error, KmodlabError):
        say(f"kmodlab: {error}")
    elif not isinstance(error, click.Abort):
        traceback.print_exception(error, file=sys.stderr)
        say("kmodlab: this is a mistake in kmodlab itself; please report it with the lines above")
