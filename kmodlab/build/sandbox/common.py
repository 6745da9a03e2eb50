# SPDX-License-Identifier: MIT
"""What the backends share: what of the host is shown, and the words for a job that met one of its limits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kmodlab import process
from kmodlab.build.sandbox import Job
from kmodlab.errors import SandboxError

__all__ = ["ForbiddenError", "host_folders", "judge", "late", "named_in_full", "over"]

_NAMED = re.compile(r"[\w.][\w.-]*\Z", re.ASCII)

# What a job prints when it meets a limit, and which one that is. Anchored, since a compiler also quotes its input.
_KILLED = r"^(?:bash: line \d+: +\d+ |\S*gcc\S*: (?:fatal error|internal compiler error): )?"
_LIMIT_SIGNS = tuple(
    (re.compile(pattern, re.MULTILINE), limit)
    for pattern, limit in (
        (r"^[^|]*: No space left on device\.?$", "space"),
        (_KILLED + r"File size limit exceeded|^[^|]*: File too large\.?$", "file_size"),
        (_KILLED + r"CPU time limit exceeded", "cpu"),
        (r"^[^|]*: Cannot allocate memory$|^\S+: out of memory allocating \d|: failed to map segment from", "memory"),
        (
            r"^\S*(?:bash|sh|make(?:\[\d+\])?|gcc\S*|environment): .*Resource temporarily unavailable$"
            r"|^\S*sh: \d+: Cannot fork$",
            "processes",
        ),
    )
)


class ForbiddenError(SandboxError):
    """This host does not allow what a sandbox is made of, now or at any other time."""


def host_folders(*parts: str) -> Iterator[Path]:
    """The host's programs, libraries and headers: what a job may read, those of /usr first.

    Args:
        parts: folders that are not given whole, but each of what lies in them: ``/usr``, and such in it.
    """
    whole = (path for part in parts for path in sorted(Path(part).iterdir()) if str(path) not in parts)
    yield from (path for path in whole if path.name not in {"local", "src", "games", "etc"})
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.lexists(path := Path("/") / name):
            yield path
    yield Path("/etc/alternatives")


def named_in_full(patterns: Iterable[str]) -> bool:
    """Whether each pattern is the name of one file of the working folder itself."""
    return all(map(_NAMED.match, patterns))


def judge(job: Job, output: str) -> None:
    """Raise if a job that failed did so at one of its limits.

    Raises:
        SandboxError: it did.
    """
    if limit := _limit_met(output):
        raise over(limit, job, output)


def _limit_met(output: str) -> str | None:
    return next((limit for sign, limit in _LIMIT_SIGNS if sign.search(output)), None)


def over(limit: str, job: Job, output: str) -> SandboxError:
    """Return the error for a job that went over a limit, named as in `Limits`."""
    value: float = getattr(job.limits, limit)
    words = {
        "space": f"it filled the build folder ({int(value) >> 20} MiB)",
        "file_size": f"it wrote a file larger than {int(value) >> 20} MiB",
        "cpu": f"a process of it used more than {value} s of processor time",
        "memory": f"a process of it wanted more than {int(value) >> 20} MiB of memory",
        "processes": f"it wanted more than {value} processes at once",
        "output": f"it printed more than {int(value) >> 20} MiB",
    }
    return SandboxError(f"{job.title}: {words[limit]} and was stopped; make it smaller", output=output)


def late(job: Job, done: process.Finished) -> SandboxError:
    """Return the error for a job that was not done in time.

    One that met another limit may wait for ever that it goes away: bash tries again to start what it could not.
    """
    output = done.stdout.decode(errors="replace")
    if limit := _limit_met(output):
        return over(limit, job, output)
    return SandboxError(
        f"{job.title}: still running after {job.limits.wall:.0f} s and stopped; "
        "look for a rule that never ends, or set KMODLAB_BUILD_TIMEOUT",
        output=output,
    )
