# SPDX-License-Identifier: MIT
"""A Jupyter kernel that is of use as soon as it has answered, and has ended as soon as its process has.

Jupyter's own client waits until 0.2 s have gone by without a message, to be sure that the channel of outputs is open
and holds nothing old; that the kernel says ``idle`` to our own question tells both. Its manager looks ten times a
second whether the process has ended.
"""

from __future__ import annotations

import time
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

__all__ = ["Client", "Manager", "manager"]

_ANSWER = 1.0  # seconds after which the question is asked again: a channel may have opened after it
_OUTPUT = 0.2  # the same for an output to come
_LOOK = 0.01  # seconds from one look at an ending process to the next


class Client(AsyncKernelClient):
    """What `jupyter_client.AsyncKernelClient` is, and sooner."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its outputs can be heard.

        Raises:
            RuntimeError: the kernel died, or did not answer within `timeout` seconds.
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not await self._answers():
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _answers(self) -> bool:
        question = self.kernel_info()
        try:
            while (reply := await self.shell_channel.get_msg(timeout=_ANSWER))["msg_type"] != "kernel_info_reply":
                pass
            while not _is_idle(await self.iopub_channel.get_msg(timeout=_OUTPUT), question):
                pass
        except Empty:
            return False
        self._handle_kernel_info_reply(reply)
        return True


def _is_idle(message: dict[str, Any], question: str) -> bool:
    parent = message["parent_header"].get("msg_id")
    return bool(parent == question and message["content"].get("execution_state") == "idle")


class Manager(AsyncKernelManager):
    """What `jupyter_client.AsyncKernelManager` is, and looks more often."""

    async def _async_finish_shutdown(
        self, waittime: float | None = None, pollinterval: float = _LOOK, restart: bool = False
    ) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval, restart)


def manager(folder: Path) -> Manager:
    """Return a manager that knows only the Jupyter kernel of this very Python, whatever the user has put in its place.

    It talks to it over sockets in a private folder, which no other user of this computer can reach.

    Args:
        folder: the private one.
    """
    return Manager(
        kernel_name="python3",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport="ipc",
        connection_file=str(folder / "kernel.json"),
        client_factory=Client,
    )
