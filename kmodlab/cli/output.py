# SPDX-License-Identifier: MIT
"""Keeps the promise of ``--json``: standard output is exactly one JSON object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

__all__ = ["Output"]


class Output:
    """Standard output of the command.

    While it is entered for JSON, whatever this process and its children write to standard output goes to standard
    error. On leaving, the object given to `emit` is written, or `fallback` if none was.
    """

    def __init__(self, wants_json: bool) -> None:
        self.wants_json = wants_json
        self.fallback: Mapping[str, Any] = {"ok": True}
        self._object: Mapping[str, Any] | None = None
        self._real = -1

    def emit(self, content: Mapping[str, Any]) -> None:
        """Give the object to be written at the end."""
        self._object = content

    def __enter__(self) -> Output:
        if self.wants_json:
            sys.stdout.flush()
            self._real = os.dup(1)
            os.dup2(2, 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.wants_json:
            return
        sys.stdout.flush()
        os.dup2(self._real, 1)
        os.close(self._real)
        sys.stdout.write(json.dumps(self.fallback if self._object is None else self._object, indent=1) + "\n")
        sys.stdout.flush()
