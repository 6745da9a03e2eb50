# SPDX-License-Identifier: MIT
"""JupyterLab's extension as it is shipped: JupyterLab finds it, nothing is missing, nothing is from elsewhere."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from jupyterlab.commands import get_app_dir
from jupyterlab_server.config import get_federated_extensions

import kmodlab
from kmodlab.jupyter.server import LABEXTENSIONS

STATIC = LABEXTENSIONS / "kmodlab" / "static"
TOP = Path(kmodlab.__file__).parent.parent


def test_jupyterlab_finds_it() -> None:
    found = get_federated_extensions([str(LABEXTENSIONS)])["kmodlab"]
    assert (LABEXTENSIONS / "kmodlab" / found["jupyterlab"]["_build"]["load"]).is_file()
    assert found["version"] == kmodlab.__version__


def test_a_wheel_brings_it_to_where_any_jupyter_server_looks() -> None:
    wheel = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {str(LABEXTENSIONS.relative_to(TOP)): "share/jupyter/labextensions"}


def test_its_files_need_each_other_and_nothing_else() -> None:
    for file in STATIC.glob("*.js"):
        text = file.read_text()
        named = re.findall(r"""(?:from|import\(|load\()\s*'([^']+)'""", text)
        assert [name for name in named if not (STATIC / name).is_file()] == [], file.name
        assert not re.search(r"https?://", text), file.name


def test_the_packages_it_takes_are_jupyterlabs_own() -> None:
    own = json.loads((Path(get_app_dir()) / "static" / "package.json").read_text())["jupyterlab"]["singletonPackages"]
    names = re.findall(r"^  '(@[^']+)',$", (STATIC / "packages.js").read_text(), re.MULTILINE)
    assert len(names) >= 8
    assert set(names) <= set(own)
    used = {name for file in STATIC.glob("*.js") for name in re.findall(r"shared\('([^']+)'\)", file.read_text())}
    assert used == set(names)
