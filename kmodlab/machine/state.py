# SPDX-License-Identifier: MIT
"""What a machine can be, and which of its methods run in which state."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from kmodlab.errors import MachineStateError

if TYPE_CHECKING:
    from kmodlab.machine.clone import Clone

__all__ = ["State", "require"]

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Clone")


class State(enum.Enum):
    """What a machine can be."""

    NEW = "not started"
    RUNNING = "running"
    PAUSED = "paused"
    LOST = "lost"
    CLOSED = "closed"


def require(*allowed: State) -> Callable[[Callable[Concatenate[M, P], R]], Callable[Concatenate[M, P], R]]:
    """Let a method run only in one of these states; elsewhere it raises `MachineStateError` or `MachineLost`."""

    def decorate(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
        @wraps(method)
        def guarded(self: M, /, *args: P.args, **kwargs: P.kwargs) -> R:
            state = self.state
            if state is State.LOST:
                raise self._lost()
            if state not in allowed:
                wanted = " or ".join(one.value for one in allowed)
                raise MachineStateError(f"{method.__name__}: the machine is {state.value}, it must be {wanted}")
            return method(self, *args, **kwargs)

        return guarded

    return decorate
