# SPDX-License-Identifier: MIT
"""``start``: JupyterLab on the tour, or on the course's index."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kmodlab.cli.environment import child_environment
from kmodlab.cli.stages import make_stages
from kmodlab.config import settings
from kmodlab.errors import HostSetupError
from kmodlab.progress import say
from kmodlab.resources import checkout

__all__ = ["command"]

_COPY = "kmodlab-course"
_SETTINGS = {
    # JupyterLab would ask at its first start whether it may fetch news and look for updates: a lab calls nobody.
    "@jupyterlab/apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}\n',
    # The glossary is there to be read, not to be edited.
    "@jupyterlab/docmanager-extension/plugin": '{"defaultViewers": {"markdown": "Markdown Preview"}}\n',
}


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-browser", is_flag=True, help="Only print the URL.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port to listen on; 8888 or the next free one otherwise."
)
@click.option("--ip", metavar="ADDRESS", help="The address to listen on; otherwise this computer's own programs only.")
@click.option("--course", is_flag=True, help="Begin with the course's index, which shows how far you are.")
def command(folder: Path | None, no_browser: bool, port: int | None, ip: str | None, course: bool) -> None:
    """Start JupyterLab on the tour, or with --course on the course's index, and print its URL.

    DIR is your own copy of the course, as `init` makes it. Without it, it is the checkout; an installed kmodlab takes
    the copy in which you stand, or else kmodlab-course in that folder. A copy that is not there is made.
    """
    make_stages()
    os.environ.update(child_environment())
    os.environ.setdefault("JUPYTERLAB_SETTINGS_DIR", str(_own_settings()))
    from jupyterlab.labapp import LabApp  # reads that variable while it is imported

    from kmodlab.jupyter.server import LABEXTENSIONS, PATH, add_course

    top = _top(folder)
    first = PATH if course else "/lab/tree/notebooks/00_tour.ipynb"
    arguments = [f"--ServerApp.root_dir={top}", f"--LabApp.default_url={first}"]
    arguments += [f"--LabApp.extra_labextensions_path={LABEXTENSIONS}"]
    arguments += ["--no-browser"] if no_browser else []
    arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"] if port else []
    arguments += [f"--ServerApp.ip={ip}"] if ip else []
    arguments += ["--allow-root"] if os.geteuid() == 0 else []
    try:
        server = LabApp.initialize_server(arguments)
    except SystemExit:
        where = (f"port {port}" if port else "any port from 8888") + (f" of {ip}" if ip else "")
        raise HostSetupError(f"listen on {where}: the Jupyter server gave up; try another --port") from None
    add_course(server)
    # The socket listens already, and a browser's request waits until the server takes it.
    click.echo(server.local_url)
    server.start()


def _top(folder: Path | None) -> Path:
    """The folder that JupyterLab shows: a checkout, or a learner's copy of the course."""
    from kmodlab.course.copy import is_copy, update_copy

    here = checkout()
    if here and folder in (None, here):
        return here
    top = folder or (Path() if is_copy(Path()) else Path(_COPY))
    if not is_copy(top):
        say(f"Making your own copy of the course in {top}; `kmodlab init {top}` brings it up to date")
        update_copy(top)
    return top.absolute()


def _own_settings() -> Path:
    """The folder of the lab's own JupyterLab settings, which a user may change from within JupyterLab."""
    folder = settings().data / "jupyterlab"
    for name, text in _SETTINGS.items():
        file = folder / f"{name}.jupyterlab-settings"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return folder
