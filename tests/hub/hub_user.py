# SPDX-License-Identifier: MIT
"""A user of a JupyterHub as their browser is one: by the hub's API, and through its proxy."""

from __future__ import annotations

import json
import pwd
import uuid
from collections.abc import Mapping
from pathlib import Path

import requests
import websocket

__all__ = ["LIMIT", "User"]

LIMIT = 120.0  # seconds for anything


class User:
    """One user, their server and a Jupyter kernel.

    Attributes:
        name, uid, home: of the Linux user.
        url: of the server.
        token: of the user's own, that opens it.
    """

    def __init__(self, hub: str, name: str, admin: Mapping[str, str]) -> None:
        self.name, self.hub = name, hub
        self.uid, self.home = pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_dir
        self.url = f"{hub}/user/{name}"
        self.token = ""
        self._admin, self._api = admin, f"{hub}/hub/api/users/{name}"
        self._kernel = ""

    def start(self) -> None:
        """Start the server, and wait until it is there."""
        requests.post(self._api, headers=self._admin, timeout=LIMIT).raise_for_status()
        requests.post(f"{self._api}/server", headers=self._admin, timeout=LIMIT).raise_for_status()
        with requests.get(f"{self._api}/server/progress", headers=self._admin, timeout=LIMIT, stream=True) as events:
            told = [json.loads(line[5:]) for line in events.iter_lines() if line.startswith(b"data:")]
        assert told[-1].get("ready"), told
        made = requests.post(f"{self._api}/tokens", headers=self._admin, json={}, timeout=LIMIT)
        self.token = made.json()["token"]

    @property
    def headers(self) -> dict[str, str]:
        """What a request in this user's name begins with."""
        return {"Authorization": f"token {self.token}"}

    def start_kernel(self) -> None:
        """Start a Jupyter kernel, in which `run` runs cells."""
        made = requests.post(f"{self.url}/api/kernels", headers=self.headers, json={}, timeout=LIMIT)
        made.raise_for_status()
        self._kernel = made.json()["id"]

    def stop(self) -> None:
        """Have the server stopped."""
        answer = requests.delete(f"{self._api}/server", headers=self._admin, timeout=LIMIT)
        answer.raise_for_status()

    def run(self, code: str) -> str:
        """Run a cell and return what it printed."""
        address = f"{self.url.replace('http', 'ws', 1)}/api/kernels/{self._kernel}/channels"
        channel = websocket.create_connection(address, header=self.headers, timeout=LIMIT)
        try:
            channel.send(json.dumps(request := _request(code)))
            return _printed(channel, request["header"]["msg_id"])  # type: ignore[index]
        finally:
            channel.close()

    def processes(self) -> dict[int, str]:
        """The user's processes as root sees them, each with its command line."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if place.stat().st_uid == self.uid:
                    found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue  # has ended
        return found

    def kernel_sockets(self) -> list[str]:
        """The sockets on which the user's Jupyter kernels listen."""
        places = (Path(self.home, ".local/share/jupyter/runtime"), Path("/tmp", self.name))
        return [str(path) for place in places if place.exists() for path in place.iterdir() if path.is_socket()]


def _request(code: str) -> dict[str, object]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "version": "5.3",
        "username": "",
        "session": "x",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    return {**message, "channel": "shell"}


def _printed(channel: websocket.WebSocket, request: str) -> str:
    """What a cell prints, until it has run."""
    text = ""
    while True:
        told = json.loads(channel.recv())
        if told["parent_header"].get("msg_id") != request:
            continue
        kind, content = told["msg_type"], told["content"]
        assert kind != "error", "\n".join(content["traceback"])
        if kind == "stream" and content["name"] == "stdout":
            text += content["text"]
        if kind == "status" and content["execution_state"] == "idle":
            return text
