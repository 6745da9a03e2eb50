# SPDX-License-Identifier: MIT
"""JupyterHub for a class on one computer: each user a Linux user, a server and machines of their own.

    jupyterhub -f docs/hub/jupyterhub_config.py

Runs as root, since it starts each server as its user. ``docs/hub.md`` says what to install, what holds and what it
costs; ``.ci/hub`` tries it with two users.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821  (JupyterHub gives it)

ENVIRONMENT = Path(sys.executable).parent  # kmodlab and JupyterLab are installed where JupyterHub is
CERTIFICATES = Path("/run/jupyterhub-certificates")

# Root's part of a room. Jupyter's debugger is hidden: it listens on a port of the computer's and asks nobody who they
# are. Then all rights are given up, for good.
ROOM = """
uid=$1 gid=$2; shift 2
for place in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777,nosuid,nodev,size=1g own "$place"; done
[ -z "$ROOM_HIDES" ] || mount -t tmpfs -o ro,mode=755 hidden "$ROOM_HIDES"
exec setpriv --reuid "$uid" --regid "$gid" --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
"""
# The user's part: a copy of the course that is up to date, then the server.
USER = """
cd; umask 077
kmodlab init kmodlab || echo 'kmodlab: the copy of the course stays as it was' >&2
mkdir -p kmodlab
exec jupyterhub-singleuser "$@"
"""


class RoomSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """Starts each server as its user, in a room of its own: without others' processes, temporary files, shared memory.

    Root makes the room and leaves it to the user. Had the user made it, in a user name space, root's files would look
    like nobody's there, and the sandbox of the compiler could have no /proc. What a server starts ends with it.
    """

    def make_preexec_fn(self, name: str) -> None:
        """Leave the change of the user to setpriv."""

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Hand the server its certificates in a folder of root's.

        JupyterHub's own way leads through the user's home, where the user may have put a link to anywhere.
        """
        user = pwd.getpwnam(self.user.name)
        CERTIFICATES.mkdir(mode=0o711, exist_ok=True)
        folder = CERTIFICATES / str(user.pw_uid)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        made = {name: shutil.copy(path, folder) for name, path in paths.items()}
        for path in (*made.values(), folder):
            os.chown(path, user.pw_uid, user.pw_gid)
        return made

    async def start(self) -> Any:
        """Start the server."""
        user = pwd.getpwnam(self.user.name)
        room = ("unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", "--")
        inside = ("sh", "-euc", ROOM, "room", str(user.pw_uid), str(user.pw_gid))
        self.cmd = [*room, *inside, "sh", "-euc", USER, "server"]
        place = await super().start()
        await self._until_it_listens(user.pw_uid)
        return place

    async def _until_it_listens(self, uid: int) -> None:
        """Wait for the server to listen on its port, before anybody is led there.

        Raises:
            RuntimeError: it ended, or another user's program was there first.
        """
        while (owner := listener(self.port)) is None:
            if await self.poll() is not None:
                raise RuntimeError(f"start the server of {self.user.name}: it ended")
            await asyncio.sleep(0.1)
        if owner != uid:
            await self.stop(now=True)
            raise RuntimeError(
                f"start the server of {self.user.name}: user {owner} listens on its port; start it again"
            )

    async def _signal(self, sig: int) -> bool:
        """Send a signal to the server, since unshare, whose child it is, hands none on; return whether it is there."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), sig)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True


def listener(port: int) -> int | None:
    """Return the user id of who listens on a port of TCP, None if nobody does."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and int(words[1].split(":")[1], 16) == port:
            return int(words[7])
    return None


debugger = importlib.util.find_spec("debugpy")

c.JupyterHub.spawner_class = RoomSpawner
c.LocalProcessSpawner.interrupt_timeout = 10
c.LocalProcessSpawner.term_timeout = 5
c.Spawner.default_url = "/kmodlab/course"
c.Spawner.notebook_dir = "~/kmodlab"
c.Spawner.poll_interval = 5  # seconds until a server that has died by itself is no longer led to
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.Spawner.args = [
    # Jupyter kernels listen on sockets in the user's own folder: every user of the computer can reach its ports.
    "--KernelManager.transport=ipc",
    # The index of the course.
    "--ServerApp.jpserver_extensions=kmodlab.jupyter.server=True",
]
c.Spawner.environment = {
    "PATH": f"{ENVIRONMENT}:/usr/local/bin:/usr/bin:/bin",
    "ROOM_HIDES": debugger.submodule_search_locations[0] if debugger and debugger.submodule_search_locations else "",
    # Filled once by root: KMODLAB_CACHE=/srv/kmodlab kmodlab setup
    "KMODLAB_SHARED_CACHE": "/srv/kmodlab",
    "KMODLAB_POOL": "1",  # spare machines of each notebook
    "KMODLAB_IDLE": "300",  # seconds until a machine that nobody talks to is stopped
}

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # TLS belongs in front of it
c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"
# Servers speak to the hub and the proxy only, who prove by certificates that it is them: no user gets past the proxy.
c.JupyterHub.internal_ssl = True
# Users who left: their servers, and machines, are ended after an hour without a word.
culler = [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600", "--ssl-enabled=true"]
c.JupyterHub.services = [{"name": "idle", "command": [*culler, "--internal-certs-location=internal-ssl"]}]
scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
c.JupyterHub.load_roles = [{"name": "idle", "services": ["idle"], "scopes": scopes}]
