# SPDX-License-Identifier: MIT
"""The hub's configuration, with what only the trial of it needs: a password for all, and a token for its driver.

With ``HUB_OPEN`` set nothing keeps the users apart, as far as a configuration can see to that: what ``two_users.py``
looks for must then be found.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821  (JupyterHub gives it)
own = Path(__file__).parents[2] / "docs/hub/jupyterhub_config.py"
load_subconfig(str(own))  # type: ignore[name-defined]  # noqa: F821

place = Path(os.environ["HUB_PLACE"])
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "trial"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = [str(place / "node_modules/.bin/configurable-http-proxy")]
c.JupyterHub.services.append({"name": "trial", "api_token": os.environ["HUB_TOKEN"]})
scopes = ["admin:users", "admin:servers", "tokens", "access:servers"]
c.JupyterHub.load_roles.append({"name": "trial", "services": ["trial"], "scopes": scopes})
c.Spawner.environment["KMODLAB_IDLE"] = "3"


def known_port(spawner: Any) -> None:
    """Give one user a port that others know beforehand; the kernel hands none out below 32768."""
    if spawner.user.name == "carl":
        spawner.port = 20000


c.Spawner.pre_spawn_hook = known_port

if os.environ.get("HUB_OPEN"):
    c.JupyterHub.spawner_class = LocalProcessSpawner
    c.JupyterHub.internal_ssl = False
    c.JupyterHub.services = [each for each in c.JupyterHub.services if each["name"] != "idle"]
    c.JupyterHub.load_roles[0]["services"] = []
    c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", "access:servers", "read:users"]})
    server = """umask 0; mkdir "/tmp/$USER"; cd; kmodlab init kmodlab
    exec jupyterhub-singleuser "--KernelManager.ip=/tmp/$USER/kernel" "$@"
    """
    c.Spawner.cmd = ["sh", "-c", server, "server"]
