# SPDX-License-Identifier: MIT
"""What one user of a hub tries to see of another; the text of this file runs in a Jupyter kernel of theirs."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def look(uid: int, paths: Sequence[str], kernel_sockets: Sequence[str], url: str, token: str) -> dict[str, Any]:
    """Return what a user, who has this token, sees of the one with this id, these files, and a server of this path."""
    return {
        "processes": sorted(pid for pid in _processes() if _owner(pid) == uid),
        "machines": sorted(pid for pid in _processes() if "qemu-system" in _program(pid) and not _is_mine(pid)),
        "files": [path for path in paths if _reads(path)],
        "temporary": [str(path) for path in _temporary() if _owner_of(path) == uid],
        "memory": [
            line for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:] if int(line.split()[7]) == uid
        ],
        "sockets": [place for place in kernel_sockets if _connects(place)],
        "ports": {port: _asks(port, url, token) for port in sorted(_listening(uid))},
        "written": [str(place) for place in _folders(Path("/srv/kmodlab"), 2) if _writes(place)],
        "may_become_root": "NoNewPrivs:\t0" in Path("/proc/self/status").read_text(),
        "debugger": _debugger(),
    }


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _owner(pid: int) -> int:
    return _owner_of(Path("/proc", str(pid)))


def _owner_of(path: Path) -> int:
    try:
        return path.lstat().st_uid
    except OSError:
        return -1


def _program(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "cmdline").read_text().split("\0")[0]
    except OSError:
        return ""


def _is_mine(pid: int) -> bool:
    """Whether a process descends from this Jupyter kernel."""
    while pid not in {0, os.getpid()}:
        try:
            pid = int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return True  # has ended
    return pid != 0


def _reads(path: str) -> bool:
    try:
        return any(Path(path).iterdir()) if Path(path).is_dir() else bool(Path(path).read_bytes())
    except OSError:
        return False


def _temporary() -> Iterator[Path]:
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        yield from Path(place).iterdir()


def _connects(place: str) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(place)
        except OSError:
            return False
    return True


def _listening(uid: int) -> set[int]:
    """The TCP ports on which a user's programs listen."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {int(words[1].split(":")[1], 16) for words in lines if words[3] == "0A" and int(words[7]) == uid}


def _asks(port: int, url: str, token: str) -> str:
    """What comes of using the other's server past the proxy, with one's own token and certificate."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=2)]
    if os.environ.get("JUPYTERHUB_SSL_CERTFILE"):
        context = ssl._create_unverified_context()
        context.load_cert_chain(os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"])
        connections.append(http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context))
    answers = []
    for connection in connections:
        with contextlib.closing(connection):
            try:
                connection.request("GET", f"{url}/api/kernels", headers={"Authorization": f"token {token}"})
                answers.append(str(connection.getresponse().status))
            except (OSError, http.client.HTTPException) as error:
                answers.append(type(error).__name__)
    return " ".join(answers)


def _folders(top: Path, depth: int) -> Iterator[Path]:
    yield top
    if depth:
        for path in top.iterdir():
            if path.is_dir():
                with contextlib.suppress(PermissionError):
                    yield from _folders(path, depth - 1)


def _writes(place: Path) -> bool:
    try:
        (place / f"written-{os.getuid()}").touch()
    except OSError:
        return False
    return True


def _debugger() -> bool:
    from ipykernel.debugger import _is_debugpy_available

    return bool(_is_debugpy_available)
